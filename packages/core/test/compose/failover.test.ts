import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createClient, failover, reconnecting, RpcError } from "../../src/index.ts";
import { FakeClock, settled } from "../fake-clock.ts";
import { all, failure, Gate, thrownBy } from "../rig.ts";
import { broken, clockWithoutRest, failing, hang, lost, Part, pass, refused, Test } from "./part.ts";

/** Waits are half of their bounds: 50, 100, 200 ms and so on. */
function rig() {
  const clock = clockWithoutRest();
  const first = new Part(clock, "first:", () => "first");
  const second = new Part(clock, "second:", () => "second");
  const transport = failover(first, second, { minMs: 100, random: () => 0.5 });
  return { clock, first, second, transport, client: createClient(Test, transport) };
}

describe("failover", () => {
  it("calls the first as long as it is there", async () => {
    const { client, second } = rig();
    expect([await client.write(), await client.write()]).toEqual(["first", "first"]);
    expect(second.count).toBe(0);
  });

  it("C144 goes to the second when the first is gone, and back to the first when it is back", async () => {
    const { client, clock, first } = rig();
    first.serve = () => {
      throw refused();
    };
    expect(await client.write()).toBe("second");
    expect(await client.write()).toBe("second");
    expect(first.count).toBe(1);
    first.serve = () => "first";
    await pass(clock, 50);
    expect(await client.write()).toBe("first");
    expect(await client.write()).toBe("first");
  });

  it("C144 repeats a call of unknown fate only when its method is idempotent, with the same idempotency key", async () => {
    const { client, clock, first, second } = rig();
    first.serve = () => {
      throw lost();
    };
    expect(await failure(client.write(null, { idempotencyKey: "k" }))).toMatchObject({ delivered: "unknown" });
    expect(second.count).toBe(0);
    await pass(clock, 50);
    const options = { idempotencyKey: "k", metadata: { tenant: "acme" }, timeoutMs: 1_000 };
    expect(await client.read(null, options)).toBe("second");
    const [context] = second.contexts;
    expect([context?.idempotencyKey, context?.metadata.get("tenant"), context?.attempt]).toEqual(["k", "acme", 2]);
    expect(context?.deadline).toBe(clock.now() + 1_000);
  });

  it("leaves errors that are no loss to the caller", async () => {
    const { client, first, second } = rig();
    first.serve = () => {
      throw new RpcError("ABORTED", "conflict", { delivered: "no" });
    };
    expect(await failure(client.read())).toMatchObject({ code: "ABORTED" });
    expect(second.count).toBe(0);
  });

  it("tries the first before its time when the second is gone as well", async () => {
    const { client, first, second } = rig();
    first.serve = failing(refused());
    expect(await client.write()).toBe("second");
    second.serve = () => {
      throw refused("second is gone");
    };
    expect(await client.write("x")).toBe("x");
    first.serve = second.serve;
    expect(await failure(client.write())).toMatchObject({ code: "UNAVAILABLE", delivered: "no" });
  });

  it("lets a single call find out whether the first is back, and waits longer each time that it is not", async () => {
    const { client, clock, first } = rig();
    first.serve = () => {
      throw refused();
    };
    await client.write();
    await pass(clock, 50);
    first.serve = hang;
    const probe = client.write.start();
    await settled();
    expect(await client.write()).toBe("second");
    await probe.cancel();
    await failure(probe);
    await pass(clock, 99);
    expect(await client.write()).toBe("second");
    await pass(clock, 1);
    first.serve = () => "first";
    expect(await client.write()).toBe("first");
  });

  it("fails over a stream before its first item", async () => {
    const { client, first, second } = rig();
    first.serveStream = () => broken(refused());
    second.serveStream = (input) => input;
    expect(await all(client.chat([1, 2]))).toEqual([1, 2]);
  });

  it("connects both and is ready when one is; closes both", async () => {
    const { first, second, transport } = rig();
    first.connect = () => Promise.reject(refused("first"));
    await transport.ready();
    second.connect = () => Promise.reject(refused("second"));
    expect(await failure(transport.ready())).toMatchObject({ message: "first" });
    await transport.close({ drainMs: 7 });
    await transport.close();
    expect([first.closes, second.closes]).toEqual([[{ drainMs: 7 }], [{ drainMs: 7 }]]);
  });

  it("closes both even when one of them fails to", async () => {
    const { first, second, transport } = rig();
    first.close = () => Promise.reject(new Error("stuck"));
    expect(await failure(transport.close())).toMatchObject({ message: "stuck" });
    expect(second.closes).toHaveLength(1);
  });

  it("can do what both can do", () => {
    const clock = new FakeClock();
    const first = new Part(clock, "first:", undefined, { cancel: "local", bidiStream: { unsupported: "no bidi" } });
    const second = new Part(clock, "second:", undefined, { progress: "emulated", topics: "durable" });
    const { capabilities } = failover(first, second);
    expect(capabilities).toMatchObject({
      cancel: "local",
      progress: "emulated",
      bidiStream: { unsupported: "no bidi" },
      topics: "volatile",
      metadata: "native",
    });
    expect(thrownBy(() => createClient(Test, failover(first, second))).message).toContain("no bidi");
  });

  it("refuses parts on different clocks, and options that cannot be", () => {
    const parts = [new Part(new FakeClock(0)), new Part(new FakeClock(5_000))] as const;
    expect(thrownBy(() => failover(...parts))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(thrownBy(() => failover(parts[0], parts[0], { minMs: -1 }))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("is never at a loss while one of the two is there, whatever they do", async () => {
    const step = fc.record({
      first: fc.boolean(),
      second: fc.boolean(),
      waitMs: fc.integer({ min: 0, max: 300 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const { clock, client, first, second } = rig();
        // The model: the first is asked when it is not known to be down, or its time has come, or the second has failed.
        let downUntil: number | undefined;
        let boundMs = 100;
        for (const { first: isFirst, second: isSecond, waitMs } of steps) {
          await clock.advance(waitMs);
          first.serve = isFirst ? () => "first" : failing(refused(), refused());
          second.serve = isSecond ? () => "second" : failing(refused(), refused());
          const firstCount = first.count;
          const now = clock.now();
          const toFirst = downUntil === undefined || now >= downUntil || !isSecond;
          const answer = await client.write().catch(({ code, delivered }: RpcError) => `${code} ${delivered}`);
          const expected = toFirst && isFirst ? "first" : isSecond ? "second" : "UNAVAILABLE no";
          expect(answer).toBe(expected);
          expect(first.count - firstCount).toBe(toFirst ? 1 : 0);
          if (!toFirst) continue;
          if (isFirst) boundMs = 100;
          downUntil = isFirst ? undefined : now + boundMs / 2;
          if (!isFirst) boundMs = Math.min(boundMs * 2, 30_000);
        }
      }),
    );
  });
});

describe("failover and a first that says it is down", () => {
  it("passes it over without trying it, connects it, and goes back as soon as it says that it is there", async () => {
    const { client, clock, first, second } = rig();
    first.serve = hang;
    first.isDown = true;
    first.connect = () => Promise.reject(refused());
    expect([await client.write(), await client.write()]).toEqual(["second", "second"]);
    await settled();
    expect([first.count, first.readyCount]).toEqual([0, 1]);
    await pass(clock, 49);
    await client.write();
    expect(first.readyCount).toBe(1);
    await pass(clock, 1);
    await client.write();
    expect([first.count, first.readyCount, second.count]).toEqual([0, 2, 4]);
    first.isDown = false;
    first.serve = () => "first";
    expect(await client.write()).toBe("first");
  });

  it("passes it over for streams, before anything of the input is read", async () => {
    const { client, first, second } = rig();
    first.isDown = true;
    second.serveStream = (input) => input;
    expect(await all(client.chat([1, 2]))).toEqual([1, 2]);
    expect(first.count).toBe(0);
  });

  it("waits at the first when neither is there, and says so itself", async () => {
    const { client, first, second, transport } = rig();
    first.isDown = true;
    expect(transport.isDown).toBe(false);
    second.isDown = true;
    expect(transport.isDown).toBe(true);
    expect(await client.write()).toBe("first");
  });

  it("passes over one that waits for its server", async () => {
    const clock = clockWithoutRest();
    const first = new Part(clock, "first:", () => {
      throw refused();
    });
    const waiting = reconnecting(first, { minMs: 100, random: () => 0.5 });
    const client = createClient(Test, failover(waiting, new Part(clock, "second:", () => "second")));
    const early = createClient(Test, waiting).write.start();
    await settled();
    expect(await client.write()).toBe("second");
    first.serve = () => "first";
    await pass(clock, 50);
    expect(await early).toBe("first");
    expect(await client.write()).toBe("first");
  });
});

describe("failover and a long stream", () => {
  it("that finds out whether the first is back tells it with its first item", async () => {
    const { client, clock, first } = rig();
    first.serve = failing(refused());
    expect(await client.write()).toBe("second");
    first.serve = () => "first";
    await pass(clock, 50);
    const gate = new Gate();
    first.serveStream = async function* () {
      yield 1;
      await gate.promise;
    };
    const stream = client.watch()[Symbol.asyncIterator]();
    expect(await stream.next()).toEqual({ done: false, value: 1 });
    expect(await client.write()).toBe("first");
    gate.open();
    expect((await stream.next()).done).toBe(true);
  });

  it("that has no item is followed by another try, whose answer counts", async () => {
    const { client, clock, first } = rig();
    first.serve = failing(refused());
    expect(await client.write()).toBe("second");
    first.serve = () => "first";
    await pass(clock, 50);
    first.serveStream = (_input, context) => broken(lost(), () => hang(undefined, context));
    const controller = new AbortController();
    const stream = client.watch(null, { signal: controller.signal })[Symbol.asyncIterator]();
    const failed = failure(stream.next());
    await settled();
    expect(await client.write()).toBe("second");
    await pass(clock, 200);
    expect([await client.write(), await client.write()]).toEqual(["first", "first"]);
    controller.abort();
    await failed;
    expect(await client.write()).toBe("first");
  });
});
