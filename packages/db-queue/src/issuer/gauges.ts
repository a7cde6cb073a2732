import type { Gauge } from "@rpc/core";
import type { QueueStats } from "../store/store-words.ts";
import type { Engine } from "./engine.ts";

/** What a process knows by itself, and what the table said when it was last asked. */
export function gaugesOf(engine: Engine, stats: readonly QueueStats[]): Gauge[] {
  const { counts, outcomes } = engine;
  const gauges: Gauge[] = [
    counter("rpc_queue_sent_total", counts.sent, "Commands inserted by this process"),
    counter("rpc_queue_refused_total", counts.refused, "Calls of this process that were not inserted"),
    { name: "rpc_queue_awaited", value: outcomes.count, help: "Commands whose outcome this process waits for" },
    { name: "rpc_queue_unsent", value: engine.waitingInserts, help: "Calls that wait to be inserted" },
  ];
  for (const state of ["done", "failed", "expired", "cancelled"] as const) {
    gauges.push({
      ...counter("rpc_queue_outcomes_total", counts[state], "Outcomes that have come to this process"),
      labels: { state },
    });
  }
  for (const each of stats) gauges.push(...gaugesOfAddress(each));
  return gauges;
}

function gaugesOfAddress(stats: QueueStats): Gauge[] {
  const { address, finished } = stats;
  const labels = { address };
  const gauges: Gauge[] = [];
  const depth = {
    ready: stats.readyCount,
    delayed: stats.delayedCount,
    claimed: stats.claimedCount,
    waiting: stats.waitingCount,
  };
  for (const [state, value] of Object.entries(depth)) {
    gauges.push({
      name: "rpc_queue_depth",
      value,
      help: "Commands that have not ended",
      labels: { address, state },
    });
  }
  gauges.push(
    {
      name: "rpc_queue_oldest_ready_ms",
      value: stats.oldestReadyMs ?? 0,
      help: "How long the oldest one could have started",
      labels,
    },
    { name: "rpc_queue_agents", value: stats.agentCount, help: "Agents that are subscribed", labels },
    { name: "rpc_queue_paused", value: stats.paused ? 1 : 0, help: "Whether the address gives no commands", labels },
    {
      name: "rpc_queue_recent_retries",
      value: finished.retries,
      help: "Tries beyond the first, of what ended lately",
      labels,
    },
  );
  for (const [what, times] of [
    ["wait", finished.waitMs],
    ["run", finished.runMs],
  ] as const) {
    if (times === undefined) continue;
    for (const [quantile, value] of [
      ["0.5", times.p50],
      ["0.95", times.p95],
      ["1", times.max],
    ] as const) {
      gauges.push({
        name: `rpc_queue_recent_${what}_ms`,
        value,
        help:
          what === "wait"
            ? "From due to claimed, of what ended lately"
            : "From claimed to its end, of what ended lately",
        labels: { address, quantile },
      });
    }
  }
  return gauges;
}

function counter(name: string, value: number, help: string): Gauge {
  return { name, value, kind: "counter", help };
}
