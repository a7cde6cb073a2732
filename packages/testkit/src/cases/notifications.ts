import { createRouter, defineContract, notification, unary } from "@rpc/core";
import { check, equal, rejects, setAside } from "../assert.ts";
import { createGate, turns, until } from "../gate.ts";
import { shape, text } from "../shapes.ts";
import { clientOf, proves, type TransportCase } from "../transport-bench.ts";
import { range } from "./bytes.ts";

const Bell = defineContract("testkit.Bell", {
  ring: notification(),
  read: unary(),
  strict: notification({ input: text }),
});

/** C42, C43, H67: calls that nothing comes back for. */
export const notificationCases: readonly TransportCase[] = [
  proves("C42", "settles when it is handed over and runs the handler", async (bench) => {
    const rung = createGate<unknown>();
    const gate = createGate();
    const pair = await bench.connect(
      createRouter(Bell, {
        ring: async (input) => {
          rung.open(input);
          await gate.passed;
        },
        read: () => "read",
        strict: () => undefined,
      }),
    );
    const bell = clientOf(bench, Bell, pair.transport);
    const result: unknown = await bell.ring({ times: 3 });
    equal(result, undefined, "result of a notification");
    equal(await rung.passed, { times: 3 }, "input at the handler");
    gate.open();
    equal(await bell.read(), "read", "call after the notification");
  }),

  proves("C42", "tells the error of a handler to the listener and not to the caller", async (bench) => {
    const errors: unknown[] = [];
    const pair = await bench.connect(
      createRouter(Bell, {
        ring: () => {
          throw new Error("the bell broke");
        },
        read: () => "read",
        strict: () => undefined,
      }),
      { onError: (error) => errors.push(error) },
    );
    const bell = clientOf(bench, Bell, pair.transport);
    await bell.ring(1);
    equal(await bell.read(), "read", "call after the notification");
    await until(() => errors.length > 0, "the error of the notification is told to the listener");
    check(String(errors[0]).includes("the bell broke"), `another error was told: ${String(errors[0])}`);
  }),

  proves("C42", "hands metadata over", async (bench) => {
    if (typeof bench.capabilities.metadata !== "string") setAside("metadata is declared a gap");
    const seen = createGate<string | undefined>();
    const pair = await bench.connect(
      createRouter(Bell, {
        ring: (_, ctx) => seen.open(ctx.metadata.get("x-key")),
        read: () => undefined,
        strict: () => undefined,
      }),
    );
    await clientOf(bench, Bell, pair.transport).ring(1, { metadata: { "x-key": "kept" } });
    equal(await seen.passed, "kept", "metadata at the handler");
  }),

  proves("C43", "starts notifications and calls in the order sent", async (bench) => {
    const started: unknown[] = [];
    const pair = await bench.connect(
      createRouter(Bell, {
        ring: (input) => void started.push(input),
        read: (input) => void started.push(input),
        strict: () => undefined,
      }),
    );
    const bell = clientOf(bench, Bell, pair.transport);
    await Promise.all(range(500).map((n) => (n % 3 === 0 ? bell.read(n) : bell.ring(n))));
    await bell.read(500);
    equal(started, range(501), "order of starts");
  }),

  proves("C43", "starts each of them once", async (bench) => {
    const counts = new Map<unknown, number>();
    const pair = await bench.connect(
      createRouter(Bell, {
        ring: (input) => void counts.set(input, (counts.get(input) ?? 0) + 1),
        read: () => undefined,
        strict: () => undefined,
      }),
    );
    const bell = clientOf(bench, Bell, pair.transport);
    for (const n of range(200)) await bell.ring(n);
    await bell.read();
    equal(
      [...counts.values()],
      range(200).map(() => 1),
      "runs of each notification",
    );
  }),

  proves("H67", "sends nothing back when a handler throws, rejects or gets wrong input, and lives", async (bench) => {
    const errors: unknown[] = [];
    let strictRuns = 0;
    const Careless = defineContract("testkit.Bell", { strict: notification({ input: shape((value) => ({ value })) }) });
    const pair = await bench.connect(
      createRouter(Bell, {
        ring: (input) => {
          if (input === "later") return Promise.reject(new Error("rejected"));
          throw new Error("thrown");
        },
        read: () => "read",
        strict: () => void (strictRuns += 1),
      }),
      { onError: (error) => errors.push(error) },
    );
    const bell = clientOf(bench, Bell, pair.transport);
    await bell.ring("now");
    await bell.ring("later");
    await clientOf(bench, Careless, pair.transport).strict(42);
    equal(await bell.read(), "read", "call after the notifications");
    await until(() => errors.length >= 3, "three errors are told to the listener");
    await turns();
    equal([errors.length, strictRuns], [3, 0], "errors told, runs with wrong input");
  }),

  proves("C61", "refuses a notification that has no time left", async (bench) => {
    if (typeof bench.capabilities.notify !== "string") setAside("notify is declared a gap");
    let rings = 0;
    const pair = await bench.connect(
      createRouter(Bell, { ring: () => void (rings += 1), read: () => undefined, strict: () => undefined }),
    );
    const bell = clientOf(bench, Bell, pair.transport);
    await rejects(bell.ring(1, { timeoutMs: 0 }), { code: "DEADLINE_EXCEEDED" }, "notification without time");
    await bell.read();
    equal(rings, 0, "runs of the handler");
  }),
];
