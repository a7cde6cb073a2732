import { describe, expect, it } from "vitest";
import {
  allowLists,
  authorized,
  createClient,
  createRouter,
  defineContract,
  dynamicRouter,
  event,
  forward,
  type Handler,
  health,
  job,
  mergeRouters,
  notification,
  reflection,
  replyCache,
  serverStream,
  unary,
} from "../src/index.ts";
import { Body, DESCRIPTOR, type Envelope, type MethodDescriptor, methodParts, servingHalf } from "../src/transport.ts";
import { callBackBy } from "../src/face/compose/pair.ts";
import { CallerContext } from "../src/face/caller-context.ts";
import { FakeClock } from "./fake-clock.ts";
import { cancel, clientRig, credit, end, item } from "./hostile-rig.ts";
import { all, call, dialTo, failure, json, listen, memory, rawClient, thrownBy } from "./rig.ts";

const All = defineContract("test.All", {
  one: unary(),
  many: serverStream(),
  told: notification(),
  changed: event(),
  work: job(),
});
const router = createRouter(All, {
  one: (input) => input,
  many: function* (input) {
    yield input;
  },
  told: () => undefined,
  work: { handle: (input) => input },
});

/** What a descriptor of somebody's own looks like. */
function byHand(short: string): CallerContext {
  const method = All[DESCRIPTOR].methods.get(short);
  if (method === undefined) throw new Error(`there is no ${short}`);
  const { parts: _, ...plain } = method;
  return new CallerContext(plain satisfies MethodDescriptor, undefined, new FakeClock(), undefined);
}

async function* one(value: unknown) {
  yield value;
}

describe("a descriptor that is written by hand", () => {
  it("serves for unary calls", async () => {
    expect(await memory(router).call("in", byHand("one"))).toBe("in");
  });

  it("serves for nothing else, which is said", async () => {
    const transport = memory(router);
    await transport.ready();
    const refused = { code: "FAILED_PRECONDITION", delivered: "no" };
    expect(await failure(all(transport.stream(one(1), byHand("many"))))).toMatchObject(refused);
    expect(thrownBy(() => transport.call("in", byHand("told")))).toMatchObject(refused);
    const sink = { writable: true, subscribed: () => undefined, event: () => undefined, ended: () => undefined };
    const request = { pattern: undefined, lastValue: false, overflow: undefined, buffer: undefined };
    expect(thrownBy(() => transport.topicPort?.subscribe(request, byHand("changed"), sink))).toMatchObject(refused);
  });

  it("is no job to a peer", async () => {
    const { method } = byHand("work");
    const handler: Handler = { ...router, contracts: router.contracts, method: () => method };
    const peer = await rawClient(listen(handler));
    await peer.send(
      call(1, "test.All.work", { kind: "submit" }),
      call(3, "test.All.work", { kind: "consume", credits: 1 }),
    );
    expect(peer.failures).toEqual([
      [1, 9, "FAILED_PRECONDITION"],
      [3, 9, "FAILED_PRECONDITION"],
    ]);
  });

  it("serves no stream", async () => {
    const { method } = byHand("many");
    const peer = await rawClient(listen({ ...router, contracts: router.contracts, method: () => method }));
    await peer.send(call(1, "test.All.many", { kind: "serverStream", credits: 1 }));
    expect(peer.failures).toEqual([[1, 9, "FAILED_PRECONDITION"]]);
  });

  it("serves for every kind with the parts of that kind", async () => {
    const { method } = byHand("many");
    const described = { ...method, parts: methodParts("serverStream") };
    const transport = memory({ ...router, contracts: router.contracts, method: () => described });
    const context = new CallerContext(described, undefined, new FakeClock(), undefined);
    expect(await all(transport.stream(one("in"), context))).toEqual(["in"]);
  });

  it("makes no client", () => {
    const { method } = byHand("one");
    const contract = { [DESCRIPTOR]: { name: "test.All", doc: undefined, methods: new Map([["one", method]]) } };
    expect(thrownBy(() => createClient(contract as never, memory(router)))).toMatchObject({
      code: "INVALID_ARGUMENT",
      message: "test.All.one was not made by unary() or a sibling of it",
    });
  });
});

describe("what an end serves that dials", () => {
  const handler: Handler = {
    contracts: router.contracts,
    method: (name, kind) => router.method(name, kind),
    call: (input, context) => router.call(input, context),
    stream: (input, context) => router.stream(input, context),
  };

  it.each<[string, () => Handler]>([
    ["a router", () => router],
    ["several", () => mergeRouters(router, health())],
    ["one written by hand, merged", () => mergeRouters(handler)],
    ["reflection", () => reflection(router)],
    ["a gateway", () => forward(memory(router))],
    ["functions by name", () => dynamicRouter()],
    ["a guarded one", () => authorized(router, allowLists({}))],
    ["one with kept replies", () => replyCache(router)],
    ["one that calls back elsewhere", () => callBackBy(router, memory(router))],
    ["a copy", () => ({ ...router })],
  ])("may be %s", (_what, serve) => {
    expect(dialTo({ serve: serve() }).transport.status).toBe("idle");
  });

  it("may be written by hand where the transport brings what serves it", async () => {
    expect(dialTo({ serve: handler, serving: servingHalf }).transport.status).toBe("idle");
    expect(await createClient(All, memory(router, { serve: handler })).one("in")).toBe("in");
  });

  it("must not be written by hand where it does not", () => {
    expect(thrownBy(() => dialTo({ serve: handler }))).toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining("mergeRouters(handler)") as string,
    });
  });
});

describe("a client that serves nothing", () => {
  it("refuses each call of its server, whatever its kind", async () => {
    const { peer, transport } = await clientRig();
    await peer.send(
      call(2, "test.All.one"),
      call(4, "test.All.many", { kind: "serverStream", credits: 1 }),
      call(6, "test.All.changed", { kind: "subscribe", credits: 1 }),
      call(8, "", { depth: 99 }),
    );
    expect(peer.failures).toEqual([2, 4, 6, 8].map((id) => [id, 12, "CONTRACT_NOT_FOUND"]));
    expect(peer.of(Body.Fail)[0]?.error.message).toBe('test.All.one: contract "test.All" is not served here');
    expect(transport.connected).toBe(true);
  });

  it("reports notifications that nobody takes", async () => {
    const { peer, errors } = await clientRig();
    const told: Envelope = {
      body: Body.Notify,
      method: "test.All.told",
      payload: json(1),
      metadata: undefined,
      depth: 0,
    };
    await peer.send(told);
    expect(errors).toMatchObject([{ code: "UNIMPLEMENTED", reason: "CONTRACT_NOT_FOUND" }]);
    expect(peer.failures).toEqual([]);
  });

  it("H42 refuses an id that was used before", async () => {
    const { peer } = await clientRig();
    await peer.send(call(4, "test.All.one"), call(4, "test.All.one"), call(2, "test.All.one"));
    expect(peer.failures.map(([id, code]) => [id, code])).toEqual([
      [4, 12],
      [4, 6],
      [2, 6],
    ]);
  });

  it("counts what comes for calls that it has refused", async () => {
    const { peer, transport } = await clientRig();
    await peer.send(call(2, "test.All.one"), cancel(2), item(2, 1), end(2), credit(2, 1));
    expect(transport.peer?.ignoredCount).toBe(4);
  });

  it.each<[string, Envelope]>([
    ["a call with an id of its own", call(1, "test.All.one")],
    ["a cancel for a call that was never made", cancel(2)],
    ["an item for a call that was never made", item(2, 1)],
  ])("H44 ends the session at %s", async (_what, envelope) => {
    const { peer, transport } = await clientRig();
    await peer.send(envelope);
    expect(peer.goodbye).toMatchObject({ reason: "PROTOCOL" });
    expect(transport.connected).toBe(false);
  });
});
