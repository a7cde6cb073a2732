import {
  bidiStream,
  type Contract,
  createRouter,
  defineContract,
  event,
  job,
  notification,
  serverStream,
  unary,
  workQueue,
} from "@rpc/core";
import { equal, rejects, setAside } from "../assert.ts";
import { collect } from "../gate.ts";
import { clientOf, proves, type TransportCase } from "../transport-bench.ts";

const NAME = "testkit.Patterns";
const KINDS = { call: unary(), tell: notification(), read: serverStream(), talk: bidiStream() };
const Patterns = defineContract(NAME, { ...KINDS, heard: event(), done: job() });
const WRONG = { code: "UNIMPLEMENTED" } as const;

/** H77: a known name in a kind that it is not, where one of the two is an event or a job. */
export const patternKindCases: readonly TransportCase[] = [
  proves("H77", "refuses to subscribe to what is no event", async (bench) => {
    if (typeof bench.capabilities.topics !== "string") setAside("topics is declared a gap");
    const { as } = await served(bench);
    const client = as(
      defineContract(NAME, { call: event(), tell: event(), read: event(), talk: event(), done: event() }),
    );
    for (const name of ["call", "tell", "read", "talk", "done"] as const) {
      const sub = client[name].subscribe();
      await rejects(sub.ready, WRONG, `${name}, subscribed to`);
      await rejects(collect(sub), WRONG, `${name}, read as an event`);
    }
  }),

  proves("H77", "refuses to queue and to consume what is no job", async (bench) => {
    if (typeof bench.capabilities.queue !== "string") setAside("queue is declared a gap");
    const { as, runs } = await served(bench);
    const client = as(defineContract(NAME, { call: job(), tell: job(), read: job(), talk: job(), heard: job() }));
    for (const name of ["call", "tell", "read", "talk", "heard"] as const) {
      await rejects(client[name].submit(1), WRONG, `${name}, submitted`);
      const consumer = client[name].consume({ handle: () => undefined });
      await rejects(consumer.ready, WRONG, `${name}, consumed`);
      equal((await consumer.closed)?.code, "UNIMPLEMENTED", `end of a consumer of ${name}`);
    }
    equal(runs(), 0, "runs of the handlers");
  }),

  proves("H77", "refuses to call, stream and tell what is an event or a job", async (bench) => {
    if (typeof bench.capabilities.topics !== "string") setAside("topics is declared a gap");
    if (typeof bench.capabilities.queue !== "string") setAside("queue is declared a gap");
    const { as, router } = await served(bench);
    const calling = as(defineContract(NAME, { heard: unary(), done: unary() }));
    const reading = as(defineContract(NAME, { heard: serverStream(), done: serverStream() }));
    const talking = as(defineContract(NAME, { heard: bidiStream(), done: bidiStream() }));
    const telling = as(defineContract(NAME, { heard: notification(), done: notification() }));
    for (const name of ["heard", "done"] as const) {
      await rejects(calling[name](1), WRONG, `${name}, called`);
      await rejects(collect(reading[name](1)), WRONG, `${name}, streamed`);
      await rejects(collect(talking[name]([1])), WRONG, `${name}, talked to`);
      await telling[name](1);
    }
    equal([router.heard.subscriberCount, router.done.waitingCount], [0, 0], "subscribers, jobs");
    equal(await as(Patterns).call(1), 1, "next call");
  }),
];

async function served(bench: Parameters<TransportCase["run"]>[0]): Promise<{
  readonly router: ReturnType<typeof servePatterns>["router"];
  readonly runs: () => number;
  readonly as: <C extends Contract>(contract: C) => ReturnType<typeof clientOf<C>>;
}> {
  const { router, runs } = servePatterns(bench);
  const pair = await bench.connect(router);
  return { router, runs, as: (contract) => clientOf(bench, contract, pair.transport) };
}

function servePatterns(bench: Pick<Parameters<TransportCase["run"]>[0], "clock">) {
  let runs = 0;
  const ran = <T>(value: T): T => {
    runs += 1;
    return value;
  };
  const router = createRouter(
    Patterns,
    {
      call: (input) => ran(input),
      tell: () => void ran(1),
      read: () => ran([1]),
      talk: () => ran([1]),
      done: workQueue(),
    },
    { clock: bench.clock },
  );
  return { router, runs: () => runs };
}
