import {
  type CallContext,
  createRouter,
  defineContract,
  notification,
  type Peer,
  type PeerReply,
  RpcError,
  unary,
} from "@rpc/core";
import type { Listener } from "@rpc/core/transport";
import { check, equal, fail, setAside, throws } from "../assert.ts";
import { createGate, passing, turns, until } from "../gate.ts";
import { listenOnWire, transportOver, connectWire, dialRaw } from "../session-bench.ts";
import { text } from "../shapes.ts";
import { proves, provesOnWire, type TransportBench, type TransportCase, WITHOUT_RESUME } from "../transport-bench.ts";
import { range } from "./bytes.ts";
import { needed } from "./lifecycle.ts";
import { quiet } from "./pattern-ends.ts";

const Node = defineContract("testkit.Node", {
  wake: notification(),
  strict: notification({ input: text }),
  ask: unary(),
});

interface NodeMethods {
  /** Called with the number of the client. */
  readonly wake?: (client: number, input: unknown) => unknown;
  readonly ask?: (client: number, input: unknown, ctx: CallContext) => unknown;
}

/** C127–C129: a server speaks to all of its clients. */
export const broadcastCases: readonly TransportCase[] = [
  proves("C127", "tells every connected peer once and says how many", async (bench) => {
    const heard: unknown[] = [];
    const { listener } = await clients(bench, 5, { wake: (_, input) => void heard.push(input) });
    equal(listener.peers.size, 5, "peers");
    for (const n of range(20)) {
      const report = listener.peers.broadcast(Node.wake, { n });
      equal([report.sent, report.failed.length], [5, 0], "sent and failed");
      equal(await report.accepted, 5, "accepted");
    }
    await until(() => heard.length >= 100, "every peer hears everything");
    await turns();
    const counts = new Map<number, number>();
    for (const each of heard as { readonly n: number }[]) counts.set(each.n, (counts.get(each.n) ?? 0) + 1);
    equal(
      [...counts.values()],
      range(20).map(() => 5),
      "times that each broadcast was heard",
    );
  }),

  proves("C127", "counts the peers that have it when that is asked for", async (bench) => {
    const heard: number[] = [];
    const { listener } = await clients(bench, 4, { wake: (client) => void heard.push(client) });
    const report = listener.peers.broadcast(Node.wake, 1, { ack: true });
    equal(report.sent, 4, "sent");
    equal([await report.accepted, report.failed.length], [4, 0], "accepted and failed");
    await until(() => heard.length === 4, "every peer hears it");
  }),

  proves("C127", "tells those that are chosen, with metadata, and nobody when nobody is", async (bench) => {
    let heard = 0;
    const { listener } = await clients(bench, 4, { wake: () => void (heard += 1) });
    const [first, , third] = [...listener.peers];
    const some = listener.peers.broadcast(Node.wake, 1, { filter: (peer) => peer === first || peer === third });
    equal([some.sent, await some.accepted], [2, 2], "sent and accepted");
    await until(() => heard === 2, "the chosen peers hear it");
    const none = listener.peers.broadcast(Node.wake, 1, { filter: () => false });
    equal([none.sent, none.failed.length, await none.accepted], [0, 0, 0], "report of a broadcast to nobody");
    await turns();
    equal(heard, 2, "peers that heard");
  }),

  proves("C127", "refuses a broadcast that cannot be, and tells nobody", async (bench) => {
    let heard = 0;
    const { listener } = await clients(bench, 2, { wake: () => void (heard += 1) });
    throws(
      () => listener.peers.broadcast(Node.wake, () => 1),
      { code: "INVALID_ARGUMENT" },
      "input that cannot travel",
    );
    throws(
      () => listener.peers.broadcast(Node.ask as unknown as typeof Node.wake, 1),
      { code: "INVALID_ARGUMENT" },
      "broadcast of a unary method",
    );
    await turns();
    equal(heard, 0, "peers that heard");
  }),

  proves("C128", "tells the others when peers fail, hang or leave", async (bench) => {
    const heard: unknown[] = [];
    const gate = createGate();
    const { listener, leave } = await clients(
      bench,
      5,
      {
        wake: async (client, input) => {
          heard.push(`${client} ${String(input)}`);
          if (client === 0) throw new Error("broken");
          if (client === 1) await gate.passed;
        },
      },
      WITHOUT_RESUME,
    );
    equal(
      await listener.peers.broadcast(Node.wake, "one").accepted,
      5,
      "accepted, with one that throws and one that hangs",
    );
    await until(() => heard.length === 5, "every peer hears it");
    await leave(2);
    await until(() => listener.peers.size === 4, "the listener learns that one has left");
    const report = listener.peers.broadcast(Node.wake, "two");
    equal([report.sent, await report.accepted], [4, 4], "sent and accepted without the one that left");
    await until(() => heard.length === 9, "the others hear it");
    equal(heard.filter((each) => String(each).endsWith("two")).length, 4, "peers that heard the second");
    gate.open();
  }),

  proves("C128", "names the peer that was lost before it had accepted", async (bench) => {
    const { listener, cut } = await clients(bench, 3, {}, WITHOUT_RESUME);
    const peers = [...listener.peers];
    const report = listener.peers.broadcast(Node.wake, "now", { ack: true });
    await cut();
    const accepted = await passing(bench.clock, report.accepted, "nothing is open any more");
    equal(accepted + report.failed.length, 3, "accepted and failed together");
    for (const { peer, error } of report.failed) {
      equal([peers.includes(peer), error.code], [true, "UNAVAILABLE"], "named peer and its error");
    }
  }),

  provesOnWire(
    "C128",
    "names the peer whose limit the message exceeds, and does not wait for one that does not read",
    async (bench) => {
      const server = listenOnWire(bench, quiet, WITHOUT_RESUME.limits);
      const heard: number[] = [];
      for (const n of range(3)) {
        const serve = createRouter(Node, { wake: () => void heard.push(n), strict: () => undefined, ask: () => n });
        const limits = n === 1 ? { maxMessageBytes: 10_000 } : {};
        const dial = async (): Promise<Awaited<ReturnType<typeof connectWire>>["dialed"]> => {
          const pair = await connectWire(bench);
          server.accept(pair.accepted);
          return pair.dialed;
        };
        await transportOver(bench, dial, { ...limits, serve }).ready();
      }
      const deaf = await dialRaw(bench, server);
      await deaf.greet();
      deaf.pauseReading();
      const { peers } = server.listener;
      await until(() => peers.size === 4, "all are connected");
      const small = [...peers][1];
      const report = peers.broadcast(Node.wake, "x".repeat(50_000));
      equal(
        report.failed.map(({ peer, error }) => [peer === small, error.code]),
        [[true, "RESOURCE_EXHAUSTED"]],
        "peers that it was too large for",
      );
      equal(report.sent, 3, "sent");
      await until(() => heard.length === 2, "the others hear it");
      equal(
        heard.toSorted((a, b) => a - b),
        [0, 2],
        "peers that heard it",
      );
    },
  ),

  proves("C129", "collects the replies of all peers as they come", async (bench) => {
    const gate = createGate();
    const { listener } = await clients(bench, 5, {
      ask: async (client, input) => {
        if (client === 0) await gate.passed;
        return [client, input];
      },
    });
    const peers = new Set(listener.peers);
    const replies = listener.peers.callAll(Node.ask, "who?")[Symbol.asyncIterator]();
    const answers: unknown[] = [];
    for (const n of range(5)) {
      if (n === 4) gate.open();
      const { value } = await replies.next();
      check(value !== undefined && peers.delete(value.peer), "a peer answered twice, or is none");
      answers.push(value.result);
    }
    equal((await replies.next()).done, true, "end of the replies");
    equal(answers.at(-1), [0, "who?"], "the last answer");
    equal(
      answers.map((each) => Number((each as unknown[])[0])).toSorted((a, b) => a - b),
      range(5),
      "clients that answered",
    );
  }),

  proves("C129", "names who failed, and at the deadline who did not reply", async (bench) => {
    const gate = createGate();
    const signals: AbortSignal[] = [];
    const { listener } = await clients(bench, 4, {
      ask: async (client, _, { signal }) => {
        if (client === 1) throw new RpcError("NOT_FOUND", "not here");
        if (client === 2) {
          signals.push(signal);
          await gate.passed;
        }
        return client;
      },
    });
    const replies = collectReplies(listener.peers.callAll(Node.ask, 1, { timeoutMs: 2_000 }));
    const found = await passing(bench.clock, replies, "every peer is accounted for");
    equal(
      found.map(({ result, error }) => String(error === undefined ? result : error.code)).toSorted(byText),
      ["0", "3", "DEADLINE_EXCEEDED", "NOT_FOUND"],
      "results and errors",
    );
    equal(found.at(-1)?.error?.code, "DEADLINE_EXCEEDED", "the last one");
    equal(new Set(found.map(({ peer }) => peer)).size, 4, "different peers");
    await until(() => signals[0]?.aborted === true, "the handler that was waited for learns of it");
    gate.open();
  }),

  proves("C129", "names a peer that is lost meanwhile, and ends", async (bench) => {
    const entered: number[] = [];
    const { listener, cut } = await clients(
      bench,
      3,
      {
        ask: (client) => {
          entered.push(client);
          return createGate<never>().passed;
        },
      },
      WITHOUT_RESUME,
    );
    const replies = collectReplies(listener.peers.callAll(Node.ask, 1));
    await until(() => entered.length === 3, "every peer is asked");
    await cut();
    const found = await passing(bench.clock, replies, "every peer is accounted for");
    equal(
      found.map(({ error }) => error?.code),
      range(3).map(() => "UNAVAILABLE"),
      "errors",
    );
  }),

  proves("C129", "cancels what is open when nobody reads on", async (bench) => {
    const signals: AbortSignal[] = [];
    const { listener } = await clients(bench, 3, {
      ask: (client, _, { signal }) => {
        if (client === 0) return "first";
        signals.push(signal);
        return new Promise<never>((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(new Error("aborted")));
        });
      },
    });
    for await (const { result } of listener.peers.callAll(Node.ask, 1)) {
      equal(result, "first", "the first answer");
      break;
    }
    await until(() => signals.length === 2 && signals.every(({ aborted }) => aborted), "the other handlers are told");
  }),
];

interface Clients {
  readonly listener: Listener;
  /** Closes one client. */
  readonly leave: (client: number) => Promise<void>;
  readonly cut: () => Promise<void>;
}

/** So many clients of one listener. All serve the same router: which client is which, the order of their first calls says. */
async function clients(
  bench: TransportBench,
  count: number,
  methods: NodeMethods,
  options: Parameters<TransportBench["connect"]>[1] = {},
): Promise<Clients> {
  const numbers = new Map<Peer | undefined, number>();
  const numberOf = ({ peer }: CallContext): number => {
    const number = numbers.get(peer) ?? numbers.size;
    numbers.set(peer, number);
    return number;
  };
  const serve = createRouter(Node, {
    wake: async (input, ctx) => {
      await methods.wake?.(numberOf(ctx), input);
    },
    strict: () => undefined,
    ask: (input, ctx) => methods.ask?.(numberOf(ctx), input, ctx),
  });
  const pair = await bench.connect(quiet, { ...options, serve });
  const { listener, another } = pair;
  if (listener === undefined) return fail("a transport with broadcast needs a factory that gives its listener");
  if (another === undefined) return setAside("the factory gives no second client");
  const transports = [pair.transport, ...range(count - 1).map(() => another())];
  for (const transport of transports.slice(1)) bench.defer(() => transport.close());
  await Promise.all(transports.map((transport) => transport.ready()));
  await until(() => listener.peers.size === count, "all clients are connected");
  return {
    listener,
    leave: async (client) => transports[client]?.close(),
    cut: async () => needed(pair.cut, "cut")(),
  };
}

function byText(a: string, b: string): number {
  return a < b ? -1 : 1;
}

async function collectReplies(replies: AsyncIterable<PeerReply<unknown>>): Promise<PeerReply<unknown>[]> {
  const found: PeerReply<unknown>[] = [];
  for await (const reply of replies) found.push(reply);
  return found;
}
