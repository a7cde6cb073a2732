import {
  bidiStream,
  clientStream,
  type CallContext,
  type Contract,
  createRouter,
  defineContract,
  type MethodDefinition,
  type NoErrors,
  notification,
  serverStream,
  unary,
} from "@rpc/core";
import type { Clock, Handler } from "@rpc/core/transport";

type Method<Kind extends MethodDefinition["kind"]> = MethodDefinition<Kind, undefined, undefined, undefined, NoErrors>;

/** What both ends of a scenario serve: work that counts how often it was done. */
export const Work: Contract<{
  readonly run: Method<"unary">;
  readonly list: Method<"serverStream">;
  readonly collect: Method<"clientStream">;
  readonly echo: Method<"bidiStream">;
  readonly note: Method<"notification">;
}> = defineContract("chaos.Work", {
  run: unary(),
  list: serverStream(),
  collect: clientStream(),
  echo: bidiStream(),
  note: notification(),
});

/** One piece of work as it travels. */
export interface Order {
  /** Unique per kind and direction. */
  readonly n: number;
  /** How long its handler takes, or each item of its stream. */
  readonly ms: number;
  readonly items: number;
}

/** One item of a stream; `sum` goes over all items so far, so that one that is lost, doubled or swapped shows. */
export interface Item {
  readonly n: number;
  readonly i: number;
  readonly sum: number;
}

/** What one end has done. */
export interface Ledger {
  /** Number of a call → how often its handler ran. */
  readonly runs: ReadonlyMap<number, number>;
  /** Numbers of the notifications, in the order in which they came. */
  readonly notes: readonly number[];
  /** The same of events. */
  readonly events: number[];
  /** What a handler saw that must not be. */
  readonly complaints: readonly string[];
}

/** The item number `i` of stream `n`, after an item whose sum was `before`. */
function itemAfter(before: number, n: number, i: number): Item {
  return { n, i, sum: (Math.imul(before ^ n, 31) + i + 1) | 0 };
}

/** Reads a stream and complains about the first item that is not the one that should come. */
export async function checkItems(
  items: AsyncIterable<unknown>,
  n: number,
  complain: (text: string) => void,
): Promise<{ readonly count: number; readonly sum: number }> {
  let sum = 0;
  let count = 0;
  for await (const received of items) {
    const item = received as Item;
    const wanted = itemAfter(sum, n, count);
    if (item.n !== n || item.i !== wanted.i || item.sum !== wanted.sum) {
      complain(`stream ${n}: item ${count} came as ${JSON.stringify(item)}, not as ${JSON.stringify(wanted)}`);
      return { count, sum };
    }
    sum = item.sum;
    count += 1;
  }
  return { count, sum };
}

/** The items of a stream, each after its time. */
export async function* itemsOf({ n, items, ms }: Order, clock: Clock): AsyncGenerator<Item> {
  let sum = 0;
  for (let i = 0; i < items; i += 1) {
    if (ms > 0) await sleep(clock, ms);
    const item = itemAfter(sum, n, i);
    sum = item.sum;
    yield item;
  }
}

/** Resolves after `ms` of the clock. */
export function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimeout(resolve, ms);
  });
}

/** Serves `Work` and keeps the ledger. `end` names it in complaints. */
export function createWorker(end: string, clock: Clock): { readonly handler: Handler; readonly ledger: Ledger } {
  const runs = new Map<number, number>();
  const notes: number[] = [];
  const complaints: string[] = [];
  const complain = (text: string): void => void complaints.push(`${end}: ${text}`);
  const seenAborted = (context: CallContext, n: number): void => {
    if (context.cancelReason !== undefined) {
      complain(`the handler of call ${n} was ended early: ${context.cancelReason.message}`);
    }
  };
  const handler = createRouter(Work, {
    run: async (input, context) => {
      const { n, ms } = input as Order;
      runs.set(n, (runs.get(n) ?? 0) + 1);
      if (ms > 0) await sleep(clock, ms);
      seenAborted(context, n);
      return n;
    },
    list: (input) => itemsOf(input as Order, clock),
    collect: async (input, context) => {
      const n = Number(context.metadata.get("n"));
      return checkItems(input, n, complain);
    },
    echo: async function* (input, context) {
      const n = Number(context.metadata.get("n"));
      let sum = 0;
      let count = 0;
      for await (const received of input) {
        const item = received as Item;
        const wanted = itemAfter(sum, n, count);
        if (item.sum !== wanted.sum || item.i !== wanted.i)
          complain(`bidi ${n}: item ${count} is ${JSON.stringify(item)}`);
        sum = item.sum;
        count += 1;
        yield item;
      }
    },
    note: (input) => {
      notes.push((input as Order).n);
    },
  });
  return { handler, ledger: { runs, notes, events: [], complaints } };
}
