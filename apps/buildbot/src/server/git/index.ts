export { type PollTimer, type PollTimerOptions, startPollTimer } from "./poll-timer.ts";
