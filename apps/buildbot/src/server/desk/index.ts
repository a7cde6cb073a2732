export { BotWatch, type BotWatchOptions } from "./bot-watch.ts";
export { createDesk, type DeskOptions } from "./desk.ts";
export { requestRebuild } from "./rebuild.ts";
export { tellChanged } from "./tell-changed.ts";
