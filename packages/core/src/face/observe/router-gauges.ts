import type { Gauge } from "../../words/metrics.ts";
import type { EventPublisher } from "../../words/topics.ts";
import type { JobDesk } from "../../words/work-queue.ts";

type Member = Pick<EventPublisher<unknown>, "subscriberCount"> | Pick<JobDesk<unknown, unknown>, JobCount>;
type JobCount = "waitingCount" | "runningCount" | "consumerCount";

/** The numbers of a router's events and jobs, by full name. */
export function routerGauges(members: Iterable<readonly [name: string, member: Member]>): readonly Gauge[] {
  const gauges: Gauge[] = [];
  for (const [method, member] of members) {
    const labels = { method };
    const add = (name: string, value: number, help: string): void => void gauges.push({ name, value, help, labels });
    if ("subscriberCount" in member) {
      add("rpc_topic_subscribers", member.subscriberCount, "Subscriptions to an event.");
    } else {
      add("rpc_jobs_waiting", member.waitingCount, "Jobs that wait for a consumer, or for their time.");
      add("rpc_jobs_running", member.runningCount, "Jobs that a consumer has.");
      add("rpc_job_consumers", member.consumerCount, "Consumers of a job, in this process and behind connections.");
    }
  }
  return gauges;
}
