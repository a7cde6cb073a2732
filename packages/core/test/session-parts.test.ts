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

const LACKING_WORK =
  "test.All.work, of kind job, has no parts: its descriptor was written by hand, or made by an older @rpc/core; take methodParts(kind) of @rpc/core/transport, or defineContract()";

function methodOf(short: string): MethodDescriptor {
  const method = All[DESCRIPTOR].methods.get(short);
  if (method === undefined) throw new Error(`there is no ${short}`);
  return method;
}

/** A gateway of somebody's own, which names no contracts, so that nobody can look at its methods in advance. */
function gatewayOf(short: string) {
  const { method } = byHand(short);
  return listen({ ...router, contracts: [], method: () => method });
}

/** What a descriptor of somebody's own looks like. */
function byHand(short: string): CallerContext {
  const { parts: _, ...plain } = methodOf(short);
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

  it("is no job to a peer of a gateway, which is told why", async () => {
    const listener = gatewayOf("work");
    const peer = await rawClient(listener);
    await peer.send(
      call(1, "test.All.work", { kind: "submit" }),
      call(3, "test.All.work", { kind: "consume", credits: 1 }),
    );
    expect(peer.failures).toEqual([
      [1, 12, "METHOD_NOT_FOUND"],
      [3, 12, "METHOD_NOT_FOUND"],
    ]);
    expect(listener.errors.map(({ message }) => message)).toEqual([LACKING_WORK, LACKING_WORK]);
  });

  it("serves no stream of a gateway, which is told why", async () => {
    const listener = gatewayOf("many");
    const peer = await rawClient(listener);
    await peer.send(call(1, "test.All.many", { kind: "serverStream", credits: 1 }));
    expect(peer.failures).toEqual([[1, 12, "METHOD_NOT_FOUND"]]);
    expect(peer.of(Body.Fail)[0]?.error.message).toBe("test.All.many is not served here");
    expect(listener.errors).toMatchObject([{ code: "FAILED_PRECONDITION" }]);
  });

  it.each(["many", "work"])("is refused where it is served: %s", (short) => {
    const { method } = byHand(short);
    const contracts = [{ name: "test.All", doc: undefined, methods: new Map([[short, method]]) }];
    const handler: Handler = { ...router, contracts, method: (name) => (name === method.name ? method : undefined) };
    const refused = { code: "FAILED_PRECONDITION", message: expect.stringContaining("methodParts(kind)") as string };
    expect(thrownBy(() => listen(handler))).toMatchObject(refused);
    expect(thrownBy(() => dialTo({ serve: handler }))).toMatchObject(refused);
    const { parts: _, ...definition } = short === "many" ? serverStream() : job();
    const Plain = defineContract("test.Plain", { [short]: definition });
    const implementation = { [short]: short === "many" ? () => [] : { handle: () => 1 } };
    expect(thrownBy(() => createRouter(Plain, implementation as never))).toMatchObject(refused);
  });

  it.each(["told", "changed", "one"])("is served where it takes no parts: %s", (short) => {
    const { method } = byHand(short);
    const contracts = [{ name: "test.All", doc: undefined, methods: new Map([[short, method]]) }];
    expect(() => listen({ ...router, contracts, method: () => method })).not.toThrow();
  });

  it("does not tell the caller of a handler that calls by it that nothing has arrived", async () => {
    const back = memory(router);
    await back.ready();
    const Front = defineContract("test.Front", { go: unary() });
    const front = createRouter(Front, { go: () => back.call("in", byHand("told")) });
    const error = await failure(createClient(Front, memory(front)).go());
    expect(error).toMatchObject({ code: "FAILED_PRECONDITION", delivered: "unknown" });
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
      code: "FAILED_PRECONDITION",
      message: expect.stringContaining("test.All.one, of kind unary, has no parts") as string,
    });
  });
});

describe("a method of one kind", () => {
  it("is not had as another, and told how it is", async () => {
    const transport = memory(router);
    await transport.ready();
    const context = (short: string) => new CallerContext(methodOf(short), undefined, new FakeClock(), undefined);
    const sink = { writable: true, subscribed: () => undefined, event: () => undefined, ended: () => undefined };
    const request = { pattern: undefined, lastValue: false, overflow: undefined, buffer: undefined };
    const said = (message: string) => ({ code: "FAILED_PRECONDITION", message });
    for (const [short, way] of [
      ["many", "kind serverStream: use stream"],
      ["changed", "kind event: use topicPort"],
      ["work", "kind job: use workQueue"],
    ] as const) {
      const error = thrownBy(() => transport.call("in", context(short)));
      expect(error).toMatchObject(said(`test.All.${short} is of ${way} of the transport for it`));
    }
    expect(thrownBy(() => transport.topicPort?.subscribe(request, context("one"), sink))).toMatchObject(
      said("test.All.one is of kind unary: use call of the transport for it"),
    );
  });

  it("has the parts of no other", () => {
    const said = {
      code: "FAILED_PRECONDITION",
      message: "test.Odd.told is of kind notification, but has the parts of kind unary",
    };
    expect(thrownBy(() => defineContract("test.Odd", { told: { ...unary(), kind: "notification" } }))).toMatchObject(
      said,
    );
    const method: MethodDescriptor = { ...methodOf("one"), name: "test.Odd.told", kind: "notification" };
    const contract = { [DESCRIPTOR]: { name: "test.Odd", doc: undefined, methods: new Map([["told", method]]) } };
    expect(thrownBy(() => createClient(contract as never, memory(router)))).toMatchObject(said);
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
    ["a copy", () => ({ ...router, method: router.method.bind(router) })],
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
