import type { QueueConsumer } from "./queue-consumer.ts";
import type { Interest, QueuedJob } from "./queued-job.ts";

/** What a queue's heaps are ordered by, and where their members keep their places. */

/** What has an end in time: a job, and each of several submitters who wait for it. */
export type Timed = QueuedJob | Interest;

export const isMoreUrgent = (a: QueuedJob, b: QueuedJob): boolean =>
  a.priority === b.priority ? a.seq < b.seq : a.priority > b.priority;
export const isDueSooner = (a: QueuedJob, b: QueuedJob): boolean => a.notBefore < b.notBefore;
export const expiresSooner = (a: Timed, b: Timed): boolean => (a.deadline ?? 0) < (b.deadline ?? 0);
export const isLessBusy = (a: QueueConsumer, b: QueueConsumer): boolean =>
  a.openCount === b.openCount ? a.lastServed < b.lastServed : a.openCount < b.openCount;

export const placeReady = (job: QueuedJob, index: number): void => void (job.readyIndex = index);
export const readyPlace = (job: QueuedJob): number => job.readyIndex;
export const placeDelayed = (job: QueuedJob, index: number): void => void (job.delayIndex = index);
export const delayedPlace = (job: QueuedJob): number => job.delayIndex;
export const placeExpiring = (timed: Timed, index: number): void => void (timed.deadlineIndex = index);
export const expiringPlace = (timed: Timed): number => timed.deadlineIndex;
export const placeConsumer = (consumer: QueueConsumer, index: number): void => void (consumer.index = index);
export const consumerPlace = (consumer: QueueConsumer): number => consumer.index;
