import { createRouter, defineContract, notification, RpcError, serverStream, unary } from "@rpc/core";
import type { CallContext, Handler, Peer } from "@rpc/core/transport";
import { check, equal, fail, rejects, setAside } from "../assert.ts";
import { collect, createGate } from "../gate.ts";
import { clientOf, proves, type TransportCase, type TransportPair } from "../transport-bench.ts";
import { range } from "./bytes.ts";

const Server = defineContract("testkit.Server", { ask: unary(), nest: unary() });
const Caller = defineContract("testkit.Caller", {
  answer: unary(),
  nest: unary(),
  told: notification(),
  count: serverStream(),
});

interface CallerMethods {
  readonly answer?: (input: unknown, ctx: CallContext) => unknown;
  readonly nest?: (input: unknown, ctx: CallContext) => unknown;
  readonly told?: (input: unknown) => void;
}

function serveCaller(methods: CallerMethods): Handler {
  return createRouter(Caller, {
    answer: methods.answer ?? ((input) => input),
    nest: methods.nest ?? ((input) => input),
    told: (input) => methods.told?.(input),
    count: async function* (input) {
      for (const n of range(input as number)) yield n;
    },
  });
}

/** C44–C46, H68: the server calls the one that dialed in. */
export const duplexCases: readonly TransportCase[] = [
  proves("C44", "lets a handler call its caller and use the output", async (bench) => {
    const router = createRouter(Server, {
      ask: async (input, ctx) => `${String(await peerOf(ctx).client(Caller).answer(input))}, said the caller`,
      nest: () => undefined,
    });
    const serve = serveCaller({ answer: (input) => `${String(input)} to you` });
    const pair = await bench.connect(router, { serve });
    equal(await clientOf(bench, Server, pair.transport).ask("hello"), "hello to you, said the caller", "output");
  }),

  proves("C44", "keeps calls in both directions apart while many are under way", async (bench) => {
    const router = createRouter(Server, {
      ask: async (input, ctx) => [input, await peerOf(ctx).client(Caller).answer(input)],
      nest: () => undefined,
    });
    const pair = await bench.connect(router, { serve: serveCaller({ answer: (input) => -(input as number) }) });
    const client = clientOf(bench, Server, pair.transport);
    const replies = await Promise.all(range(200).map((n) => client.ask(n + 1)));
    equal(
      replies,
      range(200).map((n) => [n + 1, -(n + 1)]),
      "replies",
    );
  }),

  proves("C44", "carries an error of the caller back to the handler", async (bench) => {
    const router = createRouter(Server, {
      ask: (input, ctx) => peerOf(ctx).client(Caller).answer(input),
      nest: () => undefined,
    });
    const serve = serveCaller({
      answer: () => {
        throw new RpcError("NOT_FOUND", "not at home", { reason: "AWAY" });
      },
    });
    const pair = await bench.connect(router, { serve });
    const call = clientOf(bench, Server, pair.transport).ask(1);
    await rejects(call, { code: "NOT_FOUND", message: "not at home" }, "call");
  }),

  proves("C45", "finishes calls that alternate between both ends five deep", async (bench) => {
    const depths: number[] = [];
    const router = createRouter(Server, {
      ask: () => undefined,
      nest: async (input, ctx) => {
        depths.push(ctx.depth);
        const left = input as number;
        return left === 0
          ? ["bottom"]
          : [
              "server",
              ...((await peerOf(ctx)
                .client(Caller)
                .nest(left - 1, ctx)) as string[]),
            ];
      },
    });
    const serve = serveCaller({
      nest: async (input, ctx) => {
        depths.push(ctx.depth);
        const left = input as number;
        return left === 0
          ? ["bottom"]
          : [
              "caller",
              ...((await peerOf(ctx)
                .client(Server)
                .nest(left - 1, ctx)) as string[]),
            ];
      },
    });
    const pair = await bench.connect(router, { serve });
    const path = await clientOf(bench, Server, pair.transport).nest(5);
    equal(path, ["server", "caller", "server", "caller", "server", "bottom"], "path");
    check(
      depths.every((depth, i) => i === 0 || depth === (depths[i - 1] ?? 0) + 1),
      `depths ${depths.join(", ")} do not grow by one`,
    );
  }),

  proves("C45", "does not deadlock on the limit of calls in flight when calls call back", async (bench) => {
    const router = createRouter(Server, {
      ask: () => undefined,
      nest: (input, ctx) => peerOf(ctx).client(Caller).nest(input, ctx),
    });
    const serve = serveCaller({ nest: (input) => input });
    const limits = { maxCallsInFlight: 1 };
    const pair = await bench.connect(router, { serve, limits, callerLimits: limits });
    const client = clientOf(bench, Server, pair.transport);
    equal(await client.nest(1), 1, "call that calls back");
  }),

  proves("C46", "lets the server call a client that has no call open", async (bench) => {
    const told = createGate<unknown>();
    const { pair, peer } = await connected(bench, { told: (input) => told.open(input) });
    const client = peer.client(Caller);
    equal(await client.answer({ n: 1 }), { n: 1 }, "unary call to an idle client");
    await client.told("news");
    equal(await told.passed, "news", "notification to an idle client");
    equal(await collect(client.count(20)), range(20), "stream from an idle client");
    equal([...(pair.listener?.peers ?? [])].length, 1, "peers");
  }),

  proves("C46", "tells the server when a client has gone, and fails calls to it", async (bench) => {
    const { pair, peer } = await connected(bench, { answer: () => createGate<never>().passed });
    const gone = createGate<RpcError>();
    pair.listener?.on("client-disconnected", (_, reason) => gone.open(reason));
    const call = peer.client(Caller).answer(1);
    call.catch(() => undefined);
    await pair.transport.close();
    await rejects(call, { code: "UNAVAILABLE" }, "call to a client that left");
    check((await gone.passed) instanceof RpcError, "client-disconnected came without a reason");
    equal([...(pair.listener?.peers ?? [])].length, 0, "peers");
    await rejects(
      (async () => peer.client(Caller).answer(2))(),
      { code: "UNAVAILABLE", delivered: "no" },
      "later call",
    );
  }),

  proves("C25", "refuses methods that the client does not serve", async (bench) => {
    if (typeof bench.capabilities.duplex !== "string") setAside("duplex is declared a gap");
    const router = createRouter(Server, {
      ask: (input, ctx) => peerOf(ctx).client(Caller).answer(input),
      nest: () => "ok",
    });
    const pair = await bench.connect(router);
    const client = clientOf(bench, Server, pair.transport);
    await rejects(client.ask(1), { code: "UNIMPLEMENTED" }, "call back to a client that serves nothing");
    equal(await client.nest(1), "ok", "next call");
  }),

  proves("H68", "stops calls that call back without end", async (bench) => {
    const router = createRouter(Server, {
      ask: () => undefined,
      nest: (input, ctx) =>
        peerOf(ctx)
          .client(Caller)
          .nest((input as number) + 1, ctx),
    });
    let deepest = 0;
    const serve = serveCaller({
      nest: (input, ctx) => {
        deepest = Math.max(deepest, input as number);
        return peerOf(ctx)
          .client(Server)
          .nest((input as number) + 1, ctx);
      },
    });
    const pair = await bench.connect(router, { serve });
    const client = clientOf(bench, Server, pair.transport);
    const error = await rejects(client.nest(1), { code: "RESOURCE_EXHAUSTED" }, "endless call");
    check(error.reason === "maxDepth", `expected reason maxDepth, got ${error.reason}`);
    check(deepest < 100, `${deepest} calls deep`);
    equal(await client.ask(1), undefined, "next call");
  }),
];

function peerOf(ctx: CallContext): Peer {
  return ctx.peer ?? fail("the handler's context has no peer");
}

async function connected(
  bench: { connect: (handler: Handler, options: { serve: Handler }) => Promise<TransportPair> },
  methods: CallerMethods,
): Promise<{ readonly pair: TransportPair; readonly peer: Peer }> {
  const router = createRouter(Server, { ask: () => undefined, nest: () => undefined });
  const pair = await bench.connect(router, { serve: serveCaller(methods) });
  const { listener } = pair;
  if (listener === undefined) fail("a transport with duplex needs a factory that gives its listener");
  const came = createGate<Peer>();
  listener.on("client-connected", (peer) => came.open(peer));
  await pair.transport.ready();
  const [first] = listener.peers;
  return { pair, peer: first ?? (await came.passed) };
}
