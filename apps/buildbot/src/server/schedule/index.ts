export { type SchedulerLoop, type SchedulerLoopOptions, startSchedulerLoop } from "./scheduler-loop.ts";
