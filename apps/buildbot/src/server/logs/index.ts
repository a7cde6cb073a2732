export { type Follow, followLog, type FollowDeps } from "./follow.ts";
export type { LogPiece } from "./log-file.ts";
export { Logs, type LogSize, type LogsOptions, type LogWindow } from "./logs.ts";
