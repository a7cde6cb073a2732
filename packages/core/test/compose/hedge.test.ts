import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createClient, hedge, type HedgePolicy, RpcError } from "../../src/index.ts";
import { settled } from "../fake-clock.ts";
import { all, failure, Gate, thrownBy } from "../rig.ts";
import { clockWithoutRest, hang, lost, Part, pass, refused, Test } from "./part.ts";

function rig(policy: Partial<HedgePolicy> = {}) {
  const clock = clockWithoutRest();
  const part = new Part(clock);
  const transport = hedge(part, { delayMs: 100, ...policy });
  return { clock, part, transport, client: createClient(Test, transport) };
}

describe("hedge", () => {
  it("sends one call when it is answered in time", async () => {
    const { client, clock, part } = rig();
    expect(await client.read(1)).toBe(1);
    await pass(clock, 1_000);
    expect(part.count).toBe(1);
  });

  it("sends a slow call once more, takes the first answer and cancels the other try", async () => {
    const { client, clock, part } = rig();
    part.serve = (_input, context) => {
      if (context.attempt === 1) return hang(null, context);
      context.responseMetadata.set("from", "second");
      return "second";
    };
    const handle = client.read.start(null, { idempotencyKey: "k" });
    await pass(clock, 99);
    expect(part.count).toBe(1);
    await pass(clock, 1);
    expect(await handle).toBe("second");
    expect(handle.responseMetadata.get("from")).toBe("second");
    expect(part.contexts[0]?.signal.reason).toMatchObject({ code: "CANCELLED", reason: "HEDGED" });
    expect(part.contexts[1]?.signal.aborted).toBe(false);
    expect(part.contexts.map(({ idempotencyKey }) => idempotencyKey)).toEqual(["k", "k"]);
  });

  it("takes the answer of the first try when that comes first after all", async () => {
    const { client, clock, part } = rig();
    const gate = new Gate<string>();
    part.serve = (_input, context) => (context.attempt === 1 ? gate.promise : hang(null, context));
    const answer = client.read();
    await pass(clock, 100);
    gate.open("first");
    expect(await answer).toBe("first");
    expect(part.contexts[1]?.signal.aborted).toBe(true);
  });

  it("passes on as it is what must not be sent twice", async () => {
    const { client, clock, part } = rig();
    const gate = new Gate<string>();
    part.serve = () => gate.promise;
    const write = client.write();
    const tell = client.tell();
    part.serveStream = async function* () {
      yield await gate.promise;
    };
    const items = all(client.watchSafely());
    await pass(clock, 1_000);
    gate.open("once");
    expect(await write).toBe("once");
    await tell;
    expect(await items).toEqual(["once"]);
    expect(part.count).toBe(3);
  });

  it("sends the next try at once when one fails in a way that another may not", async () => {
    const { client, part } = rig();
    part.serve = (input, context) => {
      if (context.attempt === 1) throw lost();
      return input;
    };
    expect(await client.read(1)).toBe(1);
  });

  it("fails at once with an error that every try would get, and cancels the others", async () => {
    const { client, clock, part } = rig();
    part.serve = (_input, context) => {
      if (context.attempt === 1) return hang(null, context);
      throw new RpcError("NOT_FOUND", "no such thing");
    };
    const failed = failure(client.read());
    await pass(clock, 100);
    expect(await failed).toMatchObject({ code: "NOT_FOUND" });
    expect(part.contexts[0]?.signal.aborted).toBe(true);
  });

  it("fails when all tries have failed, and says that one may have run", async () => {
    const { client, part } = rig({ maxAttempts: 3 });
    part.serve = (_input, context) => {
      throw context.attempt === 1 ? lost() : refused("last");
    };
    expect(await failure(client.read())).toMatchObject({ message: "last", delivered: "unknown" });
    expect(part.count).toBe(3);
  });

  it("waits for those that still run", async () => {
    const { client, clock, part } = rig();
    const gate = new Gate<string>();
    part.serve = (_input, context) => {
      if (context.attempt === 1) return gate.promise;
      throw refused();
    };
    const answer = client.read();
    await pass(clock, 100);
    gate.open("late");
    expect(await answer).toBe("late");
  });

  it("cancels all tries with the call", async () => {
    const { client, clock, part } = rig({ maxAttempts: 3 });
    part.serve = hang;
    const handle = client.read.start();
    await pass(clock, 100);
    await handle.cancel("enough");
    expect(await failure(handle)).toMatchObject({ code: "CANCELLED", message: "enough" });
    expect(part.contexts.map(({ signal }) => signal.aborted)).toEqual([true, true]);
    await pass(clock, 1_000);
    expect(part.count).toBe(2);
  });

  it("sends no further tries once it is closed: those that run may finish", async () => {
    const { client, clock, part, transport } = rig({ maxAttempts: 3 });
    const gates = [new Gate<string>(), new Gate<string>()];
    part.serve = (_input, context) => gates[context.attempt - 1]?.promise;
    const answered = client.read();
    await pass(clock, 100);
    await transport.close({ drainMs: 1_000 });
    await pass(clock, 500);
    gates[0]?.fail(lost());
    await settled();
    gates[1]?.open("answer");
    expect(await answered).toBe("answer");
    expect(part.count).toBe(2);
  });

  it("sends no further tries while too much fails", async () => {
    const { client, part } = rig({ budget: { maxTokens: 2 } });
    part.serve = () => {
      throw refused();
    };
    await failure(client.read());
    expect(part.count).toBe(1);
  });

  it.each([{ delayMs: 0 }, { delayMs: Number.NaN }, { delayMs: 1, maxAttempts: 0 }])("refuses %j", (policy) => {
    expect(thrownBy(() => hedge(new Part(clockWithoutRest()), policy))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("is answered by the try that answers first, with no more tries than allowed", async () => {
    const times = fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(times, fc.integer({ min: 1, max: 300 }), async (answerMs, delayMs) => {
        const { client, clock, part } = rig({ delayMs, maxAttempts: answerMs.length });
        part.serve = (_input, context) =>
          new Promise((resolve) => {
            clock.setTimeout(() => resolve(context.attempt), answerMs[context.attempt - 1] ?? 0);
          });
        const startedAt = clock.now();
        let answeredAt = 0;
        const answer = client.read().then((value) => {
          answeredAt = clock.now();
          return value;
        });
        await pass(clock, 10_000);
        await answer;
        const ends = answerMs.map((ms, i) => i * delayMs + ms);
        const first = Math.min(...ends);
        expect(answeredAt - startedAt).toBe(first);
        const tries = answerMs.filter((_ms, i) => i * delayMs < first).length;
        // A try that would start at the very instant of the answer may, or may not.
        expect([tries, tries + 1]).toContain(part.count);
        await settled();
      }),
    );
  });
});
