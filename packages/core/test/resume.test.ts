import { describe, expect, it } from "vitest";
import {
  type CallContext,
  clientStream,
  createClient,
  createRouter,
  defineContract,
  notification,
  serverStream,
  unary,
} from "../src/index.ts";
import { settled } from "./fake-clock.ts";
import { all, failure, Gate } from "./rig.ts";
import { resumable, whileTimePasses, wrapped } from "./resume-rig.ts";

const Test = defineContract("test.Test", {
  echo: unary(),
  slow: unary(),
  safe: unary({ idempotent: true }),
  count: serverStream(),
  sum: clientStream(),
  wake: notification(),
  callMe: unary(),
});
const Back = defineContract("test.Back", { name: unary() });

function served(over: Record<string, unknown> = {}) {
  const runs: unknown[] = [];
  const gates: Gate<unknown>[] = [];
  const router = createRouter(Test, {
    echo: (input: unknown) => {
      runs.push(input);
      return input;
    },
    slow: (input: unknown) => {
      runs.push(input);
      const gate = new Gate<unknown>();
      gates.push(gate);
      return gate.promise;
    },
    safe: (input: unknown) => {
      runs.push(input);
      const gate = new Gate<unknown>();
      gates.push(gate);
      return gate.promise;
    },
    count: async function* (to: unknown) {
      for (let i = 1; i <= Number(to); i++) yield i;
    },
    sum: async (items: AsyncIterable<unknown>) => (await all(items)).reduce((sum: number, n) => sum + Number(n), 0),
    wake: (input: unknown) => void runs.push(input),
    callMe: (_input: unknown, context: CallContext) => context.peer?.client(Back).name(undefined),
    ...over,
  });
  return { router, runs, gates };
}

describe("a session whose connection is lost", () => {
  it("P01 completes a call that was running, once, over the next connection", async () => {
    const { router, runs, gates } = served();
    const rig = resumable(router);
    const call = createClient(Test, rig.transport).slow(1);
    await settled();
    await rig.cut();
    await rig.clock.advance(200);
    expect(rig.transport.status).toBe("open");
    gates[0]?.open("done");
    await expect(call).resolves.toBe("done");
    expect(runs).toEqual([1]);
    expect(rig.links).toHaveLength(2);
    expect(rig.events.toSorted()).toEqual([
      "client-connected",
      "client-resumed",
      "client-suspended",
      "connected",
      "resumed",
      "suspended",
    ]);
  });

  it("sends the reply that was made while there was no connection", async () => {
    const { router, gates } = served();
    const rig = resumable(router);
    const call = createClient(Test, rig.transport).slow(1);
    await settled();
    rig.down = true;
    await rig.cut();
    expect(rig.transport.status).toBe("suspended");
    gates[0]?.open("made meanwhile");
    await settled();
    rig.down = false;
    await rig.clock.advance(5_000);
    await expect(call).resolves.toBe("made meanwhile");
  });

  it("sends a call that was made while there was no connection", async () => {
    const { router, runs } = served();
    const rig = resumable(router);
    const client = createClient(Test, rig.transport);
    await client.echo(1);
    rig.down = true;
    await rig.cut();
    const call = client.echo(2);
    await settled();
    rig.down = false;
    await rig.clock.advance(5_000);
    await expect(call).resolves.toBe(2);
    expect(runs).toEqual([1, 2]);
  });

  it("fails such a call at once where `whenDown` says so", async () => {
    const { router } = served();
    const rig = resumable(router, { transport: { whenDown: "fail" } });
    const client = createClient(Test, rig.transport);
    await client.echo(1);
    rig.down = true;
    await rig.cut();
    expect(await failure(client.echo(2))).toMatchObject({ code: "UNAVAILABLE", delivered: "no" });
  });

  it("P01 runs a call once whose message or whose reply was lost with the connection, wherever the cut is", async () => {
    for (let cutAt = 1; cutAt <= 40; cutAt++) {
      const { router, runs } = served();
      let messages = 0;
      const rig = resumable(router, {
        dress: (channel) =>
          wrapped(channel, {
            send: (message, transfer) => {
              if (++messages === cutAt) {
                void rig.cut();
                return false;
              }
              return channel.send(message, transfer);
            },
          }),
      });
      const client = createClient(Test, rig.transport);
      const calls = Promise.all(Array.from({ length: 10 }, (_, n) => client.echo(n).catch(() => client.echo(n))));
      const streamed = all(client.count(5)).catch(() => all(client.count(5)));
      await settled();
      await rig.clock.advance(20_000);
      expect(await calls, `cut at message ${cutAt}`).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      expect(await streamed).toEqual([1, 2, 3, 4, 5]);
      // Before there is a session, a cut fails the calls, certainly undelivered: they are made anew by the user above.
      expect(runs.toSorted((a, b) => Number(a) - Number(b))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      await rig.transport.close();
      await rig.listener.close();
      expect(rig.clock.timerCount).toBe(0);
    }
  });

  it("C90 goes on with a stream where it was", async () => {
    const { router } = served();
    const rig = resumable(router);
    const got: unknown[] = [];
    const reading = (async () => {
      for await (const n of createClient(Test, rig.transport).count(1_000)) {
        got.push(n);
        if (Number(n) % 100 === 50) void rig.cut();
      }
    })();
    await whileTimePasses(rig.clock, reading);
    expect(got).toEqual(Array.from({ length: 1_000 }, (_, i) => i + 1));
  });

  it("goes on with a stream of the caller's", async () => {
    const { router } = served();
    const rig = resumable(router);
    const sum = createClient(Test, rig.transport).sum(
      (async function* () {
        for (let i = 1; i <= 500; i++) {
          if (i % 100 === 0) void rig.cut();
          yield i;
        }
      })(),
    );
    expect(await whileTimePasses(rig.clock, sum)).toBe(125_250);
  });

  it("completes calls of the server to the client", async () => {
    const { router } = served();
    const gate = new Gate<string>();
    const rig = resumable(router, {
      transport: { serve: createRouter(Back, { name: () => gate.promise }) },
    });
    const call = createClient(Test, rig.transport).callMe(undefined);
    await settled();
    await rig.cut();
    gate.open("me");
    await rig.clock.advance(1_000);
    await expect(call).resolves.toBe("me");
  });

  it("keeps deadlines while it waits", async () => {
    const { router } = served();
    const rig = resumable(router);
    const call = failure(createClient(Test, rig.transport).slow(1, { timeoutMs: 3_000 }));
    await settled();
    rig.down = true;
    await rig.cut();
    await rig.clock.advance(3_000);
    expect(await call).toMatchObject({ code: "DEADLINE_EXCEEDED", delivered: "unknown" });
  });

  it("cancels at the peer when it is back", async () => {
    let reason: unknown;
    const { router } = served({
      slow: (_input: unknown, context: CallContext) =>
        new Promise(() => context.signal.addEventListener("abort", () => (reason = context.signal.reason))),
    });
    const rig = resumable(router);
    const controller = new AbortController();
    const call = failure(createClient(Test, rig.transport).slow(1, { signal: controller.signal }));
    await settled();
    rig.down = true;
    await rig.cut();
    controller.abort();
    expect(await call).toMatchObject({ code: "CANCELLED" });
    rig.down = false;
    await rig.clock.advance(5_000);
    expect(reason).toMatchObject({ code: "CANCELLED" });
  });
});

describe("a session that cannot be resumed", () => {
  it("C138 fails its calls when the window is over, on both ends", async () => {
    let aborted: unknown;
    const { router } = served({
      slow: (_input: unknown, context: CallContext) =>
        new Promise(() => context.signal.addEventListener("abort", () => (aborted = context.signal.reason))),
    });
    const rig = resumable(router, { listener: { resumeWindowMs: 10_000 } });
    const call = failure(createClient(Test, rig.transport).slow(1));
    await settled();
    rig.down = true;
    await rig.cut();
    await rig.clock.advance(9_900);
    expect(rig.transport.status).toBe("suspended");
    await rig.clock.advance(200);
    expect(await call).toMatchObject({ code: "UNAVAILABLE", delivered: "unknown", retryable: true });
    expect(aborted).toMatchObject({ code: "UNAVAILABLE" });
    expect(rig.transport.status).toBe("idle");
    expect([...rig.listener.peers]).toHaveLength(0);
    expect(rig.clock.timerCount).toBe(0);
  });

  it("P02 says which calls the forgotten server had received, and sends the others and the idempotent ones again", async () => {
    const first = served();
    const rig = resumable(first.router);
    const client = createClient(Test, rig.transport);
    const lost = failure(client.slow("lost"));
    const safe = client.safe("safe");
    await settled();
    await rig.restart();
    await rig.clock.advance(10_000);
    expect(await lost).toMatchObject({ code: "UNAVAILABLE", delivered: "unknown" });
    expect(first.runs).toEqual(["lost", "safe", "safe"]);
    first.gates.at(-1)?.open("again");
    await expect(safe).resolves.toBe("again");
  });

  it("comes back although nobody calls, so that the server can call it", async () => {
    const { router } = served();
    const rig = resumable(router, { transport: { serve: createRouter(Back, { name: () => "me" }) } });
    await rig.transport.ready();
    const [peer] = rig.listener.peers;
    await rig.cut();
    const call = peer?.client(Back).name(undefined);
    await rig.clock.advance(1_000);
    await expect(call).resolves.toBe("me");
    expect(rig.events).toContain("resumed");
  });

  it("ends for good when the server says so", async () => {
    const { router } = served();
    const rig = resumable(router);
    const call = failure(createClient(Test, rig.transport).slow(1));
    await settled();
    await rig.listener.close();
    expect(await call).toMatchObject({ code: "UNAVAILABLE", delivered: "unknown" });
    expect(rig.transport.status).toBe("idle");
  });

  it("T23 confirms a notification when the peer has it, not before", async () => {
    const { router, runs } = served();
    const rig = resumable(router);
    const client = createClient(Test, rig.transport);
    await client.echo(0);
    rig.down = true;
    await rig.cut();
    let confirmed = false;
    const wake = client.wake("up", { ack: true }).then(() => (confirmed = true));
    await rig.clock.advance(1_000);
    expect(confirmed).toBe(false);
    rig.down = false;
    await rig.clock.advance(10_000);
    await wake;
    expect(runs).toEqual([0, "up"]);
  });
});
