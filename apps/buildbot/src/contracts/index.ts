export { Bot, BuildOrder, Desk } from "./bot.ts";
export { Bots, Builds, House, Settings, Users } from "./page.ts";
export * from "./values.ts";
