import { describe, expect, it } from "vitest";
import {
  bidiStream,
  type CallContext,
  clientStream,
  createClient,
  createRouter,
  defineContract,
  serverStream,
  unary,
} from "../src/index.ts";
import { Body, MAX_TIMER_MS } from "../src/transport.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { all, call, CHALLENGE, dialTo, failure, Gate, listen, memory, rawClient, WELCOME } from "./rig.ts";

const Test = defineContract("test.Test", {
  echo: unary(),
  hang: unary(),
  short: unary({ timeoutMs: 2_000 }),
  nested: unary(),
  count: serverStream(),
  sum: clientStream(),
  both: bidiStream(),
});

function rig(
  handlers: Partial<Record<"echo" | "hang" | "nested", (input: unknown, ctx: CallContext) => unknown>> = {},
) {
  const clock = new FakeClock();
  const contexts: CallContext[] = [];
  const hang = (_input: unknown, ctx: CallContext): Promise<never> => {
    contexts.push(ctx);
    return new Promise(() => undefined);
  };
  const router = createRouter(Test, {
    echo: (input) => input,
    hang,
    short: hang,
    nested: hang,
    count: async function* (_input, ctx) {
      contexts.push(ctx);
      yield 1;
      await new Promise(() => undefined);
    },
    sum: hang,
    both: async function* (_items, ctx) {
      contexts.push(ctx);
      yield 1;
      await new Promise(() => undefined);
    },
    ...handlers,
  });
  const transport = memory(router, { clock, heartbeatMs: 0 });
  return { clock, contexts, transport, client: createClient(Test, transport, { clock }) };
}

describe("a deadline", () => {
  it("C57 ends a call to a handler that sleeps, at the deadline", async () => {
    const { clock, client } = rig();
    const failed = failure(client.hang(1, { timeoutMs: 5_000 }));
    let over = false;
    void failed.then(() => (over = true));
    await settled();
    await clock.advance(4_999);
    expect(over).toBe(false);
    await clock.advance(1);
    expect(await failed).toMatchObject({ code: "DEADLINE_EXCEEDED", reason: "DEADLINE" });
  });

  it("C57 ends a call to a server that never replies", async () => {
    const clock = new FakeClock();
    const { transport, peers } = dialTo({ clock, heartbeatMs: 0 });
    const failed = failure(createClient(Test, transport, { clock }).hang(1, { timeoutMs: 5_000 }));
    await settled();
    await clock.advance(5_000);
    expect(await failed).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(peers[0]?.of(Body.Cancel)).toHaveLength(1);
    expect(clock.timerCount).toBe(0);
  });

  it("C57 ends a call that waits for a connection that never comes up", async () => {
    const clock = new FakeClock();
    const { transport } = dialTo({ clock, dial: () => new Promise(() => undefined) });
    const failed = failure(createClient(Test, transport, { clock }).echo(1, { timeoutMs: 5_000 }));
    await clock.advance(5_000);
    expect(await failed).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  });

  it("C57 is kept by the server for a caller that does not", async () => {
    const clock = new FakeClock();
    const contexts: CallContext[] = [];
    const Hang = defineContract("test.Hang", { hang: unary() });
    const router = createRouter(Hang, { hang: (_input, ctx) => (contexts.push(ctx), new Promise(() => undefined)) });
    const peer = await rawClient(listen(router, { clock, heartbeatMs: 0 }));
    await peer.send(call(1, "test.Hang.hang", { deadlineMs: 100 }));
    await clock.advance(100);
    expect(peer.failures).toEqual([[1, 4, "DEADLINE"]]);
    expect(contexts[0]?.signal.aborted).toBe(true);
  });

  it("C58 reaches the handler, and its signal aborts there", async () => {
    const { clock, contexts, client } = rig();
    const started = clock.now();
    const failed = failure(client.hang(1, { timeoutMs: 5_000 }));
    await settled();
    expect(contexts[0]?.deadline).toBe(started + 5_000);
    expect(contexts[0]?.signal.aborted).toBe(false);
    await clock.advance(5_000);
    // Both ends watch it: whichever is first, the handler reads the same sentence.
    expect(contexts[0]?.signal.reason).toMatchObject({ message: "test.Test.hang: deadline exceeded" });
    await failed;
  });

  it("C58 travels as the time that remains when the call leaves", async () => {
    const clock = new FakeClock();
    const { transport, peers } = dialTo({ clock }, false);
    const failed = failure(createClient(Test, transport, { clock }).hang(1, { timeoutMs: 5_000 }));
    await clock.advance(2_000);
    await peers[0]?.send(CHALLENGE, WELCOME);
    expect(peers[0]?.of(Body.Call)[0]?.deadlineMs).toBe(3_000);
    await transport.close();
    await failed;
  });

  it("C59 goes along with a nested call as the time that remains, never more", async () => {
    const inner = rig();
    const deadlines: (number | undefined)[] = [];
    const outer = rig({
      nested: async (_input, ctx) => {
        await outer.clock.advance(1_000);
        deadlines.push(ctx.deadline);
        return createClient(Test, inner.transport, { clock: inner.clock }).hang(1, ctx);
      },
    });
    const start = outer.clock.now();
    const failed = failure(outer.client.nested(1, { timeoutMs: 3_000 }));
    await settled();
    await settled();
    expect(deadlines).toEqual([start + 3_000]);
    expect(inner.contexts[0]?.deadline).toBe(start + 3_000);
    await outer.clock.advance(2_000);
    expect(await failed).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  });

  it("C59 of the outer call holds when the nested method asks for more", async () => {
    const inner = rig();
    const outer = rig({
      nested: (_input, ctx) => createClient(Test, inner.transport, { clock: inner.clock }).short(1, ctx),
    });
    const start = outer.clock.now();
    const failed = failure(outer.client.nested(1, { timeoutMs: 500 }));
    await settled();
    expect(inner.contexts[0]?.deadline).toBe(start + 500);
    await outer.clock.advance(500);
    await failed;
  });

  it("C59 of the nested method holds when the outer call has more", async () => {
    const inner = rig();
    const outer = rig({
      nested: (_input, ctx) => createClient(Test, inner.transport, { clock: inner.clock }).short(1, ctx),
    });
    const start = outer.clock.now();
    const failed = failure(outer.client.nested(1, { timeoutMs: 60_000 }));
    await settled();
    expect(inner.contexts[0]?.deadline).toBe(start + 2_000);
    await inner.clock.advance(2_000);
    expect(await failed).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  });

  it("C60 does not touch a call that finishes just before it", async () => {
    const gate = new Gate<string>();
    const { clock, client } = rig({ hang: () => gate.promise });
    const going = client.hang(1, { timeoutMs: 5_000 });
    await settled();
    await clock.advance(4_999);
    gate.open("in time");
    await settled();
    await clock.advance(10_000);
    expect(await going).toBe("in time");
  });

  it.each([
    ["timeoutMs 0", { timeoutMs: 0 }],
    ["an instant that has passed", { deadline: 1 }],
  ])("C61 H58 that is already past sends nothing: %s", async (_what, options) => {
    const clock = new FakeClock();
    const { transport, peers } = dialTo({ clock });
    await transport.ready();
    const client = createClient(Test, transport, { clock });
    expect(await failure(client.echo(1, options))).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(await failure(all(client.count(1, options)))).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(peers[0]?.of(Body.Call)).toEqual([]);
  });

  it("C62 comes from the contract", async () => {
    const { clock, client } = rig();
    const failed = failure(client.short(1));
    await settled();
    await clock.advance(2_000);
    expect(await failed).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  });

  it("C62 comes from the contract even when the caller asks for more", async () => {
    const { clock, client } = rig();
    const failed = failure(client.short(1, { timeoutMs: 60_000 }));
    await settled();
    await clock.advance(2_000);
    expect(await failed).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  });

  it("C62 comes from the caller when it asks for less", async () => {
    const { clock, contexts, client } = rig();
    const failed = failure(client.short(1, { timeoutMs: 500 }));
    await settled();
    expect(contexts[0]?.deadline).toBe(clock.now() + 500);
    await clock.advance(500);
    await failed;
  });

  it("is the earlier of instant and duration", async () => {
    const { clock, contexts, client } = rig();
    const failed = [
      failure(client.hang(1, { timeoutMs: 500, deadline: clock.now() + 900 })),
      failure(client.hang(1, { timeoutMs: 900, deadline: clock.now() + 500 })),
    ];
    await settled();
    expect(contexts.map(({ deadline }) => deadline)).toEqual([clock.now() + 500, clock.now() + 500]);
    await clock.advance(500);
    await Promise.all(failed);
  });

  it("H58 from a peer that is zero is refused, and the handler does not run", async () => {
    let ran = false;
    const Echo = defineContract("test.Echo", { echo: unary() });
    const peer = await rawClient(listen(createRouter(Echo, { echo: () => (ran = true) })));
    await peer.send(call(1, "test.Echo.echo", { deadlineMs: 0 }));
    expect(peer.failures).toEqual([[1, 4, "DEADLINE"]]);
    expect(ran).toBe(false);
  });

  it.each([-5, "5", null, 1.5, {}])(
    "H58 from a peer that is %j closes, and the handler does not run",
    async (deadlineMs) => {
      let ran = false;
      const Echo = defineContract("test.Echo", { echo: unary() });
      const peer = await rawClient(listen(createRouter(Echo, { echo: () => (ran = true) })));
      await peer.sendJson({ b: 16, id: 1, method: "test.Echo.echo", deadlineMs });
      expect(peer.ends).toHaveLength(1);
      expect(ran).toBe(false);
    },
  );

  it.each([MAX_TIMER_MS + 1, 2 ** 32, 1e18, Number.POSITIVE_INFINITY])(
    "H58 of %d ms does not fire at once",
    async (timeoutMs) => {
      const gate = new Gate<string>();
      const { clock, client } = rig({ hang: () => gate.promise });
      const going = client.hang(1, { timeoutMs });
      await settled();
      await clock.advance(MAX_TIMER_MS);
      gate.open("still here");
      expect(await going).toBe("still here");
    },
  );

  it("H58 beyond what a timer keeps fires in the end", async () => {
    const { clock, client } = rig();
    const failed = failure(client.hang(1, { timeoutMs: MAX_TIMER_MS + 1_000 }));
    await settled();
    await clock.advance(MAX_TIMER_MS + 1_000);
    expect(await failed).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  });

  it("H58 from a peer that is as long as a number holds is served", async () => {
    const clock = new FakeClock();
    const Echo = defineContract("test.Echo", { echo: unary() });
    const peer = await rawClient(listen(createRouter(Echo, { echo: () => "served" }), { clock }));
    await peer.send(call(1, "test.Echo.echo", { deadlineMs: Number.MAX_SAFE_INTEGER }));
    await clock.advance(1_000);
    expect(peer.results).toEqual(["served"]);
  });

  it.each([
    ["a server stream", (client: ReturnType<typeof rig>["client"]) => all(client.count(1, { timeoutMs: 5_000 }))],
    ["a client stream", (client: ReturnType<typeof rig>["client"]) => client.sum(endless(), { timeoutMs: 5_000 })],
    ["a bidi stream", (client: ReturnType<typeof rig>["client"]) => all(client.both(endless(), { timeoutMs: 5_000 }))],
  ])("C87 ends %s on both sides", async (_what, start) => {
    const { clock, contexts, client } = rig();
    const failed = failure(start(client));
    await settled();
    await clock.advance(5_000);
    expect(await failed).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(contexts[0]?.signal.aborted).toBe(true);
  });

  async function* endless(): AsyncGenerator<number> {
    yield 1;
    await new Promise(() => undefined);
  }

  it("H79 ends a call whose interceptor never settles", async () => {
    const { clock, transport } = rig();
    const client = createClient(Test, transport, {
      clock,
      interceptors: [{ call: () => new Promise(() => undefined) }],
    });
    const failed = failure(client.echo(1, { timeoutMs: 5_000 }));
    await clock.advance(5_000);
    expect(await failed).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(clock.timerCount).toBe(0);
  });

  it("H212 drops the late result of a handler that ignores its signal", async () => {
    const gate = new Gate<string>();
    const { clock, client, transport } = rig({ hang: () => gate.promise });
    const failed = failure(client.hang(1, { timeoutMs: 5_000 }));
    await settled();
    await clock.advance(5_000);
    expect(await failed).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    gate.open("late");
    await settled();
    expect(await client.echo("next")).toBe("next");
    expect(transport.connected).toBe(true);
  });

  it("leaves no timer when all calls with deadlines have passed", async () => {
    const { clock, client } = rig();
    await Promise.all(Array.from({ length: 100 }, (_, i) => client.echo(i, { timeoutMs: 1_000 + i })));
    await clock.advance(2_000);
    expect(clock.timerCount).toBe(0);
  });
});
