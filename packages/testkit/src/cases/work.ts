import {
  type Consumer,
  type Contract,
  createRouter,
  defineContract,
  job,
  type JobContext,
  type MethodDefinition,
  type NoErrors,
  type RouterOf,
  type StandardSchema,
  workQueue,
} from "@rpc/core";
import { createGate, type Gate, passing, until } from "../gate.ts";
import { recordOf, whole } from "../shapes.ts";
import type { TransportBench } from "../transport-bench.ts";

type SoldOut = { readonly SoldOut: StandardSchema<{ readonly left: number }> };
type Plain = MethodDefinition<"job", undefined, undefined, undefined, NoErrors>;

/** What the cases have done. */
export const Work: Contract<{
  readonly run: Plain;
  readonly other: Plain;
  readonly count: MethodDefinition<"job", StandardSchema<number>, StandardSchema<number>, undefined, SoldOut>;
}> = defineContract("testkit.Work", {
  run: job(),
  other: job(),
  count: job({ input: whole, output: whole, errors: { SoldOut: recordOf({ left: whole }) } }),
});

/** A router that hosts the queues, on the clock of the case. A job that fails is tried again at once. */
export function hostWork(bench: TransportBench): RouterOf<typeof Work> {
  const options = { retryDelayMs: 0 };
  const queues = { run: workQueue(options), other: workQueue(options), count: workQueue<number, number>(options) };
  return createRouter(Work, queues, { clock: bench.clock });
}

/** Handles jobs that go on until they are let go. */
export interface Bench {
  /** Inputs that were started, in order. */
  readonly started: readonly unknown[];
  readonly contexts: readonly JobContext[];
  readonly gate: Gate;
  readonly handle: (input: unknown, context: JobContext) => Promise<unknown>;
}

/** Handlers whose jobs give their input once the gate is open. */
export function createBench(): Bench {
  const started: unknown[] = [];
  const contexts: JobContext[] = [];
  const gate = createGate();
  return {
    started,
    contexts,
    gate,
    handle: async (input, context) => {
      started.push(input);
      contexts.push(context);
      await gate.passed;
      return input;
    },
  };
}

/** Consumers are closed with their case, or they would come back to a transport that is closing. */
export function consuming(bench: TransportBench, consumer: Consumer): Consumer {
  bench.defer(() => consumer.close());
  return consumer;
}

/** Waits for something that may need time on the clock. */
export async function eventually(bench: TransportBench, condition: () => boolean, what: string): Promise<void> {
  await passing(bench.clock, until(condition, what), what);
}
