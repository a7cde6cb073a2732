import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  circuitBreaker,
  type CircuitBreakerOptions,
  type CircuitState,
  createClient,
  RpcError,
} from "../../src/index.ts";
import { FakeClock, settled } from "../fake-clock.ts";
import { all, failure, Gate, thrownBy } from "../rig.ts";
import { broken, clockWithoutRest, hang, lost, Part, pass, refused, Test } from "./part.ts";

function rig(options: CircuitBreakerOptions = {}) {
  const clock = clockWithoutRest();
  const part = new Part(clock);
  const transport = circuitBreaker(part, { failures: 3, windowMs: 1_000, openMs: 500, ...options });
  const states: CircuitState[] = [];
  transport.on("state", (state) => states.push(state));
  return { clock, part, states, transport, client: createClient(Test, transport) };
}

function fail(): never {
  throw lost();
}

describe("circuitBreaker", () => {
  it("opens after failures in a row, and then fails calls at once, saying when it tries again", async () => {
    const { client, clock, part, states, transport } = rig();
    part.serve = fail;
    for (let i = 0; i < 3; i++) await failure(client.write());
    expect([transport.state, states]).toEqual(["open", ["open"]]);
    await pass(clock, 100);
    expect(await failure(client.write())).toMatchObject({
      code: "UNAVAILABLE",
      reason: "CIRCUIT_OPEN",
      delivered: "no",
      details: { retryInMs: 400 },
      message: expect.stringContaining("in 400 ms"),
    });
    expect(part.count).toBe(3);
  });

  it("closes again when the call that finds out is answered, and opens again when it is not", async () => {
    const { client, clock, part, states, transport } = rig();
    part.serve = fail;
    for (let i = 0; i < 3; i++) await failure(client.write());
    await pass(clock, 500);
    await failure(client.write());
    expect(transport.state).toBe("open");
    await pass(clock, 499);
    expect(await failure(client.write())).toMatchObject({ reason: "CIRCUIT_OPEN" });
    await pass(clock, 1);
    part.serve = (input) => input;
    expect(await client.write(1)).toBe(1);
    expect(states).toEqual(["open", "half-open", "open", "half-open", "closed"]);
  });

  it("lets as many calls find out as it is told, and no more", async () => {
    const { client, clock, part, transport } = rig({ halfOpenCalls: 2 });
    part.serve = fail;
    for (let i = 0; i < 3; i++) await failure(client.write());
    await pass(clock, 500);
    const gate = new Gate();
    part.serve = () => gate.promise;
    const probes = [client.write(), client.write()];
    expect(await failure(client.write())).toMatchObject({ reason: "CIRCUIT_OPEN", details: { retryInMs: 0 } });
    gate.open();
    await Promise.all(probes);
    expect(transport.state).toBe("closed");
  });

  it("starts to count anew after an answer, and after the window", async () => {
    const { client, clock, part, transport } = rig();
    const failOnce = async (): Promise<void> => {
      part.serve = fail;
      await failure(client.write());
    };
    await failOnce();
    await failOnce();
    part.serve = (input) => input;
    await client.write();
    await failOnce();
    await pass(clock, 600);
    await failOnce();
    await pass(clock, 400);
    await failOnce();
    expect(transport.state).toBe("closed");
    await failOnce();
    expect(transport.state).toBe("open");
  });

  it("counts what it is told to count, and neither cancelled calls nor ordinary errors", async () => {
    const { client, part, transport } = rig({ failures: 1 });
    part.serve = () => {
      throw new RpcError("NOT_FOUND", "no");
    };
    await failure(client.write());
    part.serve = hang;
    const handle = client.write.start();
    await settled();
    await handle.cancel();
    await failure(handle);
    expect(transport.state).toBe("closed");
    const other = rig({ failures: 1, isFailure: ({ code }) => code === "NOT_FOUND" });
    other.part.serve = part.serve = () => {
      throw new RpcError("NOT_FOUND", "no");
    };
    await failure(other.client.write());
    expect(other.transport.state).toBe("open");
  });

  it("gives a place back that was taken by a call whose caller left", async () => {
    const { client, clock, part, transport } = rig({ failures: 1 });
    part.serve = fail;
    await failure(client.write());
    await pass(clock, 500);
    part.serve = hang;
    const handle = client.write.start();
    await settled();
    await handle.cancel();
    await failure(handle);
    part.serve = (input) => input;
    expect(await client.write(1)).toBe(1);
    expect(transport.state).toBe("closed");
  });

  it("has no ear for calls from before", async () => {
    const { client, clock, part, transport } = rig({ failures: 1 });
    const gate = new Gate();
    part.serve = () => gate.promise;
    const early = failure(client.write());
    part.serve = fail;
    await failure(client.write());
    await pass(clock, 500);
    const probe = new Gate();
    part.serve = () => probe.promise;
    const finding = client.write();
    gate.fail(lost());
    await early;
    expect(transport.state).toBe("half-open");
    probe.open();
    await finding;
    expect(transport.state).toBe("closed");
  });

  it("counts streams: one that fails, and one that has ended or been left", async () => {
    const { client, clock, part, transport } = rig({ failures: 1 });
    part.serveStream = () => broken(refused());
    await failure(all(client.watch()));
    expect(transport.state).toBe("open");
    expect(await failure(all(client.watch()))).toMatchObject({ reason: "CIRCUIT_OPEN" });
    await pass(clock, 500);
    part.serveStream = async function* () {
      yield* [1, 2];
    };
    for await (const item of client.watch()) if (item === 1) break;
    expect(transport.state).toBe("closed");
    expect(await all(client.watch())).toEqual([1, 2]);
  });

  it("reports what isFailure and listeners throw, and goes on", async () => {
    const errors: string[] = [];
    const { client, part, transport } = rig({
      failures: 1,
      isFailure: () => {
        throw new Error("isFailure");
      },
      onError: ({ message }) => errors.push(message),
    });
    transport.on("state", () => {
      throw new Error("listener");
    });
    part.serve = fail;
    await failure(client.write());
    expect([transport.state, errors]).toEqual(["open", ["isFailure", "listener"]]);
  });

  it("hands the call on as it is", async () => {
    const { client, part } = rig();
    part.serve = (_input, context) => {
      context.responseMetadata.set("load", "1");
      context.progress(1);
      return context.metadata.get("tenant");
    };
    const handle = client.write.start(null, { metadata: { tenant: "acme" } });
    expect(await handle).toBe("acme");
    expect(handle.responseMetadata.get("load")).toBe("1");
    expect(await all(handle.progress)).toEqual([1]);
  });

  it("loses nothing that its part can do", () => {
    const { part, transport } = rig();
    expect(transport.capabilities).toEqual(part.capabilities);
  });

  it.each([{ failures: 0 }, { windowMs: 0 }, { openMs: Number.NaN }, { halfOpenCalls: 0.5 }])(
    "refuses %j",
    (options) => {
      expect(thrownBy(() => circuitBreaker(new Part(new FakeClock()), options))).toMatchObject({
        code: "INVALID_ARGUMENT",
      });
    },
  );

  it("is at every moment in the state of its model", async () => {
    const step = fc.record({
      outcome: fc.constantFrom("answered" as const, "failed" as const),
      waitMs: fc.nat({ max: 400 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 3 }),
        async (steps, failures, halfOpenCalls) => {
          const { client, clock, part, transport } = rig({ failures, halfOpenCalls });
          let state: CircuitState = "closed";
          let failedAt: number[] = [];
          let openUntil = 0;
          let answered = 0;
          for (const { outcome, waitMs } of steps) {
            await clock.advance(waitMs);
            const now = clock.now();
            part.serve = outcome === "answered" ? () => 1 : fail;
            const before = part.count;
            await client.write().catch(() => undefined);
            const isLetThrough: boolean = state !== "open" || now >= openUntil;
            expect(part.count - before).toBe(isLetThrough ? 1 : 0);
            if (isLetThrough && state === "open") [state, answered] = ["half-open", 0];
            if (isLetThrough && outcome === "answered") {
              failedAt = [];
              if (state === "half-open" && ++answered === halfOpenCalls) state = "closed";
            } else if (isLetThrough) {
              failedAt = [...failedAt, now].filter((at) => now - at < 1_000);
              if (state === "half-open" || failedAt.length >= failures) {
                [state, failedAt, openUntil] = ["open", [], now + 500];
              }
            }
            expect(transport.state).toBe(state);
          }
        },
      ),
    );
  });
});

describe("circuitBreaker and long calls", () => {
  it("closes at the first item of a stream, however long it goes on", async () => {
    const { client, clock, part, transport } = rig();
    part.serve = fail;
    for (let i = 0; i < 3; i++) await failure(client.write());
    await pass(clock, 500);
    part.serve = (input) => input;
    part.serveStream = async function* () {
      for (let i = 0; ; i++) yield i;
    };
    const stream = client.watch()[Symbol.asyncIterator]();
    await stream.next();
    expect(transport.state).toBe("closed");
    expect(await client.write(1)).toBe(1);
    await stream.return?.();
  });

  it("counts a stream once as an answer, and as a failure when it breaks off later", async () => {
    const { client, clock, part, transport } = rig({ halfOpenCalls: 2 });
    part.serve = fail;
    for (let i = 0; i < 3; i++) await failure(client.write());
    await pass(clock, 500);
    part.serveStream = async function* () {
      yield 1;
    };
    expect(await all(client.watch())).toEqual([1]);
    expect(transport.state).toBe("half-open");
    expect(await all(client.watch())).toEqual([1]);
    expect(transport.state).toBe("closed");
    part.serveStream = async function* () {
      yield 1;
      throw lost();
    };
    for (let i = 0; i < 3; i++) await failure(all(client.watch()));
    expect(transport.state).toBe("open");
  });

  it("lets another call through when the one that finds out has no answer for as long as it was open", async () => {
    const { client, clock, part, transport } = rig();
    part.serve = fail;
    for (let i = 0; i < 3; i++) await failure(client.write());
    await pass(clock, 500);
    part.serve = hang;
    const stuck = client.write.start();
    await pass(clock, 499);
    expect(await failure(client.write())).toMatchObject({ reason: "CIRCUIT_OPEN" });
    await pass(clock, 1);
    part.serve = (input) => input;
    expect(await client.write(1)).toBe(1);
    expect(transport.state).toBe("closed");
    await stuck.cancel();
    await failure(stuck);
    expect(transport.state).toBe("closed");
  });
});
