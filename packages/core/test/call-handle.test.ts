import { describe, expect, it } from "vitest";
import { z } from "zod";
import { type CallContext, createClient, createRouter, defineContract, RpcError, unary } from "../src/index.ts";
import { settled } from "./fake-clock.ts";
import { all, failure, Gate, memory } from "./rig.ts";

const Test = defineContract("test.Test", { run: unary({ progress: z.number() }), plain: unary() });

function rig(run: (ctx: CallContext) => unknown) {
  const transport = memory(createRouter(Test, { run: (_input, ctx) => run(ctx), plain: (_input, ctx) => run(ctx) }));
  return { transport, client: createClient(Test, transport) };
}

describe("a call handle", () => {
  it("gives the output when it is awaited, also twice", async () => {
    const handle = rig(() => "out").client.run.start();
    expect(await handle).toBe("out");
    expect(await handle).toBe("out");
  });

  it("C51 has the id that the handler sees", async () => {
    const handle = rig((ctx) => ctx.id).client.run.start();
    expect(handle.id).toMatch(/^[0-9a-f]{16}$/);
    expect(await handle).toBe(handle.id);
  });

  it("C51 has an id of its own", () => {
    const { client } = rig(() => null);
    expect(client.run.start().id).not.toBe(client.run.start().id);
  });

  it("C69 says that it is running, then that it is done", async () => {
    const gate = new Gate();
    const handle = rig(() => gate.promise).client.run.start();
    expect(handle.state).toBe("running");
    await settled();
    expect(handle.state).toBe("running");
    gate.open();
    await handle;
    expect(handle.state).toBe("done");
  });

  it("C69 says that it has failed", async () => {
    const handle = rig(() => Promise.reject(new RpcError("ABORTED", "no"))).client.run.start();
    expect(await failure(handle)).toMatchObject({ code: "ABORTED" });
    expect(handle.state).toBe("failed");
  });

  it("C69 says that it was cancelled", async () => {
    const handle = rig(() => new Promise(() => undefined)).client.run.start();
    await handle.cancel();
    expect(await failure(handle)).toMatchObject({ code: "CANCELLED" });
    expect(handle.state).toBe("cancelled");
  });

  it("C64 rejects at once when it is cancelled, and the handler's signal aborts with the reason", async () => {
    let seen: AbortSignal | undefined;
    const handle = rig((ctx) => {
      seen = ctx.signal;
      return new Promise(() => undefined);
    }).client.run.start();
    await settled();
    await handle.cancel("newer commit");
    expect(await failure(handle)).toMatchObject({ code: "CANCELLED", message: "newer commit" });
    await settled();
    expect(seen?.reason).toMatchObject({ code: "CANCELLED", message: "newer commit" });
  });

  it("C63 is not sent when it is cancelled before the connection is up", async () => {
    let ran = false;
    const { client, transport } = rig(() => (ran = true));
    const handle = client.run.start();
    await handle.cancel();
    expect(await failure(handle)).toMatchObject({ code: "CANCELLED" });
    await transport.ready();
    await settled();
    expect(ran).toBe(false);
  });

  it("C66 is not changed by a cancel after it has settled", async () => {
    const handle = rig(() => "out").client.run.start();
    await handle;
    await handle.cancel();
    expect(handle.state).toBe("done");
    expect(await handle).toBe("out");
  });

  it("keeps the first reason when it is cancelled twice", async () => {
    const handle = rig(() => new Promise(() => undefined)).client.run.start();
    await handle.cancel("first");
    await handle.cancel("second");
    expect(await failure(handle)).toMatchObject({ message: "first" });
  });

  it("C70 shows progress and log lines live, in order, the last before the output", async () => {
    const gates = [new Gate(), new Gate()];
    const { client } = rig(async (ctx) => {
      ctx.progress(10);
      ctx.log("cloning");
      await gates[0]?.promise;
      ctx.progress(90);
      ctx.log("testing", { suite: "core" }, "warning");
      await gates[1]?.promise;
      ctx.progress(100);
      return "built";
    });
    const handle = client.run.start();
    const seen: unknown[] = [];
    const progress = (async () => {
      for await (const value of handle.progress) seen.push(value);
    })();
    const log = (async () => {
      for await (const { level, message, fields } of handle.log) seen.push([level, message, { ...fields }]);
    })();
    await settled();
    expect(seen).toEqual([10, ["info", "cloning", {}]]);
    gates[0]?.open();
    await settled();
    expect(seen.slice(2)).toEqual([90, ["warning", "testing", { suite: "core" }]]);
    gates[1]?.open();
    expect(await handle).toBe("built");
    await Promise.all([progress, log]);
    expect(seen.slice(4)).toEqual([100]);
  });

  it("C70 shows progress to a reader who comes after the end", async () => {
    const handle = rig((ctx) => {
      ctx.progress(1);
      ctx.progress(2);
    }).client.run.start();
    await handle;
    expect(await all(handle.progress)).toEqual([1, 2]);
    expect(await all(handle.log)).toEqual([]);
  });

  it("C70 shows no progress that the handler reports after its output", async () => {
    const late = new Gate();
    const handle = rig((ctx) => {
      void late.promise.then(() => ctx.progress(99));
      return "out";
    }).client.run.start();
    await handle;
    late.open();
    await settled();
    expect(await all(handle.progress)).toEqual([]);
  });

  it("ends progress and log when the call fails", async () => {
    const handle = rig((ctx) => {
      ctx.progress(5);
      throw new RpcError("ABORTED", "no");
    }).client.run.start();
    expect(await all(handle.progress)).toEqual([5]);
    expect(await all(handle.log)).toEqual([]);
  });

  it("H62 keeps a bounded number of unread values, the newest", async () => {
    const handle = rig((ctx) => {
      for (let i = 1; i <= 5_000; i++) ctx.progress(i);
    }).client.run.start();
    await handle;
    const values = await all(handle.progress);
    expect(values).toHaveLength(1_000);
    expect(values.at(-1)).toBe(5_000);
  });

  it("does not crash the process when nobody awaits its failure", async () => {
    // An unhandled rejection fails the whole run.
    const { client } = rig(() => Promise.reject(new RpcError("ABORTED", "no")));
    const handle = client.run.start();
    expect(await all(handle.progress)).toEqual([]);
    await settled();
    expect(handle.state).toBe("failed");
  });

  it("can be caught and finished like a promise", async () => {
    const { client } = rig(() => Promise.reject(new RpcError("ABORTED", "no")));
    expect(await client.run.start().catch((thrown: unknown) => (thrown as RpcError).code)).toBe("ABORTED");
    let finished = false;
    await client.run
      .start()
      .finally(() => (finished = true))
      .catch(() => undefined);
    expect(finished).toBe(true);
  });

  it("H89 is not failed by progress that cannot travel: the handler learns it", async () => {
    const handle = rig((ctx) => {
      try {
        ctx.progress(() => 1);
      } catch (thrown) {
        return (thrown as RpcError).code;
      }
      return "no error";
    }).client.plain.start();
    expect(await handle).toBe("INVALID_ARGUMENT");
  });

  it("H87 shows log lines with half a character in message and fields, and the session lives", async () => {
    const { client, transport } = rig((ctx) => ctx.log("half \ud800", { "k\udc00": "v\ud800" }));
    const handle = client.run.start();
    await handle;
    expect((await all(handle.log)).map((line) => line.message)).toEqual(["half \ufffd"]);
    expect(transport.connected).toBe(true);
  });

  it("costs nothing on the wire when nobody asked: a plain call sends no progress", async () => {
    let observed: boolean | undefined;
    const { client } = rig((ctx) => {
      observed = ctx.observed;
      ctx.progress(1);
      ctx.log("not sent");
      return 1;
    });
    expect(await client.run()).toBe(1);
    expect(observed).toBe(false);
  });
});
