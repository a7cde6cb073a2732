import { describe, expect, it } from "vitest";
import {
  allowLists,
  createRouter,
  defineContract,
  authorized,
  connectDynamic,
  createMemoryTransport,
  type DynamicPeer,
  dynamicPeer,
  dynamicRouter,
  expose,
  type HandlerContext,
  type Interceptor,
  RemoteError,
  RpcError,
  rpcTo,
} from "../../src/index.ts";
import { settled } from "../fake-clock.ts";
import { failure, Gate, memory, thrownBy } from "../rig.ts";

class ValueError extends Error {}
class CodedError extends Error {
  override readonly name = "CodedError";
}

/** Two ends that are equal: each has a router of its own and calls the other. */
function ends(options = {}) {
  const near = dynamicRouter();
  const far = dynamicRouter();
  const transport = memory(far, { serve: near, ...options });
  return { near, far, transport, rpc: rpcTo(transport) };
}

async function caught(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (thrown) {
    return thrown;
  }
  throw new Error("did not reject");
}

describe("K21 the old test set", () => {
  it("K08 gives what a function gives: values, lists, records, nothing", async () => {
    const { far, rpc } = ends();
    far.register({
      tuple: () => [1, "two", [3]],
      record: () => ({ at: new Date(0), bytes: new Uint8Array([1, 2]), big: 5n }),
      nothing: () => undefined,
      echo: (...args: unknown[]) => args,
    });
    expect(await rpc("tuple")).toEqual([1, "two", [3]]);
    expect(await rpc("record")).toEqual({ at: new Date(0), bytes: new Uint8Array([1, 2]), big: 5n });
    expect(await rpc("nothing")).toBeUndefined();
    expect(await rpc("echo", [1, null, { a: [] }])).toEqual([1, null, { a: [] }]);
  });

  it("K12 waits for async functions, direct and indirect, and replies in the order they end", async () => {
    const { far, rpc } = ends();
    const slow = new Gate<string>();
    far.register({
      slow: () => slow.promise,
      quick: async () => "quick",
      // Not async itself, but what it calls is.
      indirect: () => Promise.resolve().then(() => "indirect"),
      // oxlint-disable-next-line unicorn/no-thenable -- what a user's function may give
      thenable: () => ({ then: (done: (value: string) => void) => done("thenable") }),
    });
    const order: unknown[] = [];
    const calls = ["slow", "quick", "indirect"].map((name) => rpc(name).then((value) => order.push(value)));
    await settled();
    expect(order).toEqual(["quick", "indirect"]);
    slow.open("slow");
    await Promise.all(calls);
    expect(order).toEqual(["quick", "indirect", "slow"]);
    expect(await rpc("thenable")).toBe("thenable");
  });

  it("K11 raises here what was thrown there, with its name and message", async () => {
    const { far, rpc } = ends();
    far.register({
      bad: () => {
        throw new ValueError("not a number");
      },
      later: async () => {
        throw new CodedError("not now");
      },
      odd: () => {
        // oxlint-disable-next-line typescript/only-throw-error -- what a user's function may do
        throw "a string";
      },
    });
    const bad = await caught(rpc("bad"));
    expect(bad).toBeInstanceOf(RemoteError);
    expect(bad).toBeInstanceOf(RpcError);
    expect(bad).toMatchObject({
      code: "UNKNOWN",
      reason: "REMOTE_ERROR",
      remoteName: "ValueError",
      remoteMessage: "not a number",
      message: "ValueError: not a number",
      remoteStack: undefined,
    });
    expect(await caught(rpc("later"))).toMatchObject({ remoteName: "CodedError", remoteMessage: "not now" });
    expect(await caught(rpc("odd"))).toMatchObject({ remoteName: "Error", remoteMessage: "a string" });
  });

  it("K11 has the stack where the far end exposes it", async () => {
    const { far, rpc } = ends({ exposeStacks: true });
    far.register(
      () => {
        throw new ValueError("no");
      },
      { name: "bad" },
    );
    expect(await caught(rpc("bad"))).toMatchObject({
      remoteStack: expect.stringContaining("dynamic.test.ts") as string,
    });
  });

  it("K11 makes an instance of a class that it knows by that name", async () => {
    const { far, transport } = ends();
    far.register(
      () => {
        throw new ValueError("no");
      },
      { name: "bad" },
    );
    const error = await caught(rpcTo(transport, { errors: [ValueError] })("bad"));
    expect(error).toBeInstanceOf(ValueError);
    expect(error).toBeInstanceOf(RpcError);
    expect(error).not.toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({ name: "ValueError", message: "no", code: "UNKNOWN", remoteName: "ValueError" });
    expect(String(error)).toBe("ValueError: no");
  });

  it("K11 lets an RpcError through as it is, and a third party's error by its own name", async () => {
    const third = dynamicRouter();
    third.register(
      () => {
        throw new ValueError("far away");
      },
      { name: "bad" },
    );
    const onward = rpcTo(memory(third));
    const { far, rpc } = ends();
    far.register({
      rpcError: () => {
        throw new RpcError("NOT_FOUND", "gone", { reason: "GONE", details: { id: 7 } });
      },
      passed: () => onward("bad"),
    });
    const error = await failure(rpc("rpcError"));
    expect(error).toMatchObject({ code: "NOT_FOUND", reason: "GONE", details: { id: 7 } });
    expect(error).not.toBeInstanceOf(RemoteError);
    expect(await caught(rpc("passed"))).toMatchObject({ remoteName: "ValueError", message: "ValueError: far away" });
  });

  it("K20 refuses an unknown command and arguments that are none", async () => {
    const { far, rpc } = ends();
    let ran = false;
    far.register(() => (ran = true), { name: "run" });
    for (const name of ["missing", "__proto__", "constructor", "then", "run ", "", "Run", "dynamic.run"])
      expect((await failure(rpc(name))).code).toBe("UNIMPLEMENTED");
    expect(await failure(rpc("missing"))).toMatchObject({
      message: 'there is no command "missing" at the far end',
      reason: "METHOD_NOT_FOUND",
    });
    const other = rpcTo(memory(createRouter(defineContract("test.Other", {}), {})));
    expect((await failure(other("missing"))).message).toBe('"missing": the far end has no commands');
    far.register(() => other("inner"), { name: "relay" });
    expect((await failure(rpc("relay"))).message).toBe('"inner": the far end has no commands');
    expect((await failure(rpc("run", {} as unknown as []))).code).toBe("INVALID_ARGUMENT");
    expect((await failure(rpc("run", [], [] as unknown as Record<string, unknown>))).code).toBe("INVALID_ARGUMENT");
    expect((await failure(rpc("run", [() => 1]))).code).toBe("INVALID_ARGUMENT");
    expect(ran).toBe(false);
  });

  it("H76 checks at the far end what a peer of another make sends", () => {
    const router = dynamicRouter();
    router.register(() => 1, { name: "run" });
    const method = router.method("dynamic.run", "unary");
    const context = { method } as HandlerContext;
    for (const input of [5, [], "x", null, { args: {} }, { args: 1 }, { kwargs: [] }, { kwargs: new Date(0) }])
      expect(thrownBy(() => router.call(input, context)).code).toBe("INVALID_ARGUMENT");
    const { call } = router;
    expect(call(undefined, context)).toBe(1);
  });

  it("K08 passes arguments by name as one record after the others", async () => {
    const { far, rpc } = ends();
    far.register((...args: unknown[]) => args, { name: "echo" });
    expect(await rpc("echo", [], { foo: 4 })).toEqual([{ foo: 4 }]);
    expect(await rpc("echo", [1, 2], { foo: 4 })).toEqual([1, 2, { foo: 4 }]);
    expect(await rpc("echo", [1], {})).toEqual([1]);
  });

  it("lets a server be told to go without waiting for it", async () => {
    const { far, transport } = ends();
    const done = new Gate();
    far.register(() => void Promise.resolve(transport.listener.close()).then(done.open), { name: "shutdown" });
    const connection = connectDynamic(transport);
    await connection.notify("shutdown");
    await done.promise;
    expect(connection.connected).toBe(false);
  });

  it("takes options of a call: timeout and signal end it at both ends", async () => {
    const { far, rpc } = ends();
    const contexts: HandlerContext[] = [];
    const wait = expose(
      (context: HandlerContext) => {
        contexts.push(context);
        return new Promise(() => undefined);
      },
      { name: "wait", passContext: true },
    );
    far.register(wait);
    const controller = new AbortController();
    const call = failure(rpc("wait", [], {}, { signal: controller.signal }));
    await settled();
    controller.abort();
    expect((await call).code).toBe("CANCELLED");
    await settled();
    expect(contexts[0]?.signal.aborted).toBe(true);
  });
});

describe("K03 both ends", () => {
  it("are equal: each registers and calls", async () => {
    const { near, far, transport, rpc } = ends();
    near.register(() => "near", { name: "who" });
    far.register(() => "far", { name: "who" });
    expect(await rpc("who")).toBe("far");
    const [peer] = transport.listener.peers;
    if (peer === undefined) throw new Error("nobody is there");
    expect(await dynamicPeer(peer).rpc("who")).toBe("near");
    near.register(() => "later", { name: "more" });
    expect(await rpcTo(peer)("more")).toBe("later");
  });

  it("K19 call back into the caller while the call is open, deeper and deeper", async () => {
    const { near, far, rpc } = ends();
    const dive = expose(
      async (peer: DynamicPeer, context: HandlerContext, depth: number): Promise<unknown> =>
        depth === 0
          ? [context.depth]
          : [context.depth, ...((await peer.rpc("dive", [depth - 1], {}, context)) as number[])],
      { name: "dive", passPeer: true, passContext: true },
    );
    near.register(dive);
    far.register(dive);
    expect(await rpc("dive", [6])).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(await failure(rpc("dive", [1_000]))).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "maxDepth" });
  });

  it("know a caller again, so that it can be kept and called later", async () => {
    const { near, far, rpc } = ends();
    const subscribers = new Set<DynamicPeer>();
    far.register(expose((peer: DynamicPeer) => subscribers.add(peer).size, { name: "subscribe", passPeer: true }));
    const heard: unknown[] = [];
    near.register((text: string) => void heard.push(text), { name: "hear" });
    expect([await rpc("subscribe"), await rpc("subscribe")]).toEqual([1, 1]);
    for (const peer of subscribers) await peer.notify("hear", ["hello"]);
    await settled();
    expect(heard).toEqual(["hello"]);
  });
});

describe("connectDynamic", () => {
  it("K10 K09 makes its transport, serves what is registered, and says when it is open and closed, once each", async () => {
    const far = dynamicRouter();
    far.register(expose((peer: DynamicPeer) => peer.rpc("name"), { name: "ask_back", passPeer: true }));
    const events: string[] = [];
    const connection = connectDynamic((serve) => createMemoryTransport(far, { serve }));
    connection.on("open", () => events.push("open"));
    connection.on("closed", (reason) => events.push(`closed ${reason.code}`));
    const module = { name: () => "me" };
    connection.register(module);
    expect(connection.connected).toBe(false);
    expect(await connection.rpc("ask_back")).toBe("me");
    expect(connection.connected).toBe(true);
    expect(connection.unregister(module)).toBe(true);
    await connection.close();
    await connection.close();
    expect(connection.connected).toBe(false);
    expect(events).toEqual(["open", "closed UNAVAILABLE"]);
    expect((await failure(connection.rpc("ask_back"))).code).toBe("FAILED_PRECONDITION");
  });

  it("takes a transport that is there, with its router or without", async () => {
    const { near, far, transport } = ends();
    far.register(() => 1, { name: "one" });
    const bare = connectDynamic(transport);
    await bare.ready();
    expect(await bare.rpc("one")).toBe(1);
    expect(thrownBy(() => bare.register(() => 2, { name: "two" })).code).toBe("FAILED_PRECONDITION");
    const full = connectDynamic(transport, { router: near });
    full.register(() => 2, { name: "two" });
    expect(near.commands).toEqual(["two"]);
  });

  it("K11 knows its errors in both directions", async () => {
    const far = dynamicRouter({ errors: [ValueError] });
    const seen: unknown[] = [];
    far.register({
      bad: () => {
        throw new ValueError("far");
      },
      ask: expose(async (peer: DynamicPeer) => void seen.push(await caught(peer.rpc("bad"))), {
        name: "ask",
        passPeer: true,
      }),
    });
    await using connection = connectDynamic((serve) => createMemoryTransport(far, { serve }), { errors: [ValueError] });
    connection.register({
      bad: () => {
        throw new ValueError("near");
      },
    });
    expect(await caught(connection.rpc("bad"))).toBeInstanceOf(ValueError);
    await connection.rpc("ask");
    expect(seen[0]).toBeInstanceOf(ValueError);
  });

  it("wraps calls in interceptors at both ends", async () => {
    const seen: string[] = [];
    const noting = (end: string): Interceptor => ({
      call: (input, context, next) => {
        seen.push(`${end} ${context.method.name} ${JSON.stringify(input)}`);
        return next(input, context);
      },
    });
    const far = dynamicRouter({ interceptors: [noting("far")] });
    far.register(() => 1, { name: "one" });
    await using connection = connectDynamic(memory(far), { interceptors: [noting("near")] });
    await connection.rpc("one", [2], { three: 4 });
    const input = '{"args":[2],"kwargs":{"three":4}}';
    expect(seen).toEqual([`near dynamic.one ${input}`, `far dynamic.one ${input}`]);
  });
});

it("can be authorized command by command", async () => {
  const router = dynamicRouter();
  router.register({ open: () => "open", shut: () => "shut" });
  const allow = allowLists({ bot: ["dynamic.open"] });
  // The memory transport proves nobody's identity.
  const handler = authorized(router, (peer, method, act) => allow({ ...peer, identity: "bot" }, method, act));
  const rpc = rpcTo(memory(handler));
  expect(await rpc("open")).toBe("open");
  expect(await failure(rpc("shut"))).toMatchObject({ code: "PERMISSION_DENIED", reason: "FORBIDDEN" });
});

it.each([
  ["no class", [{} as never]],
  ["a class of something else", [Map as never]],
  ["an RpcError", [RpcError as never]],
  ["one name twice", [ValueError, class ValueError extends Error {}]],
])("refuses error classes with %s", (_what, errors) => {
  expect(thrownBy(() => dynamicRouter({ errors })).code).toBe("INVALID_ARGUMENT");
});
