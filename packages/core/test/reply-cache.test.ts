import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createClient,
  createRouter,
  defineContract,
  forward,
  type HandlerContext,
  type ReplyCacheOptions,
  replyCache,
  RpcError,
  unary,
} from "../src/index.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { failure, Gate, memory, thrownBy } from "./rig.ts";

const Bank = defineContract("demo.Bank", { pay: unary(), other: unary() });

type Pay = (input: unknown, context: HandlerContext, run: number) => unknown;

function bank(pay: Pay, options: ReplyCacheOptions = {}) {
  const runs: unknown[] = [];
  const clock = new FakeClock();
  const run = (input: unknown, context: HandlerContext): unknown => pay(input, context, runs.push(input));
  const cached = replyCache(createRouter(Bank, { pay: run, other: run }), { clock, ...options });
  const client = () => createClient(Bank, memory(cached, { replyCache: false }));
  return { client, runs, clock, cached };
}

const key = (idempotencyKey: string) => ({ idempotencyKey });

describe("replyCache", () => {
  it("runs a call once and gives a repeat the first output", async () => {
    const { client, runs } = bank((_input, _context, run) => ({ receipt: run }));
    const bot = client();
    const first = await bot.pay(5, key("a"));
    expect(await bot.pay(5, key("a"))).toEqual(first);
    expect(runs).toEqual([5]);
  });

  it("lets a repeat wait for the first while it runs", async () => {
    const gate = new Gate<string>();
    const { client, runs } = bank(() => gate.promise);
    const bot = client();
    const calls = [bot.pay(1, key("a")), bot.pay(1, key("a")), bot.pay(1, key("a"))];
    await settled();
    gate.open("paid");
    expect(await Promise.all(calls)).toEqual(["paid", "paid", "paid"]);
    expect(runs).toEqual([1]);
  });

  it("keeps errors with their reason and details, and response metadata", async () => {
    const { client, runs } = bank((_input, context) => {
      context.responseMetadata.set("receipt", "17");
      throw new RpcError("FAILED_PRECONDITION", "no money", { reason: "BROKE", details: { missing: 3 } });
    });
    const bot = client();
    for (let i = 0; i < 2; i++) {
      const call = bot.pay.start(1, key("a"));
      expect(await failure(call)).toMatchObject({
        code: "FAILED_PRECONDITION",
        reason: "BROKE",
        details: { missing: 3 },
      });
      expect(call.responseMetadata.get("receipt")).toBe("17");
    }
    expect(runs).toHaveLength(1);
  });

  it.each(["CANCELLED", "DEADLINE_EXCEEDED", "UNAVAILABLE"] as const)("does not keep %s", async (code) => {
    const { client, runs } = bank((_input, _context, run) => {
      if (run === 1) throw new RpcError(code, "later");
      return run;
    });
    const bot = client();
    expect((await failure(bot.pay(1, key("a")))).code).toBe(code);
    expect(await bot.pay(1, key("a"))).toBe(2);
    expect(await bot.pay(1, key("a"))).toBe(2);
    expect(runs).toHaveLength(2);
  });

  it("runs again for a waiting repeat when the first one's caller gives up", async () => {
    const { client, runs } = bank((_input, context, run) =>
      run > 1
        ? "paid"
        : new Promise((_resolve, reject) =>
            context.signal.addEventListener("abort", () => reject(new RpcError("CANCELLED", "given up"))),
          ),
    );
    const bot = client();
    const first = bot.pay.start(1, key("a"));
    const second = bot.pay(1, key("a"));
    await settled();
    await first.cancel();
    expect((await failure(first)).code).toBe("CANCELLED");
    expect(await second).toBe("paid");
    expect(runs).toHaveLength(2);
  });

  it("keeps the outcome of a handler that went on although its caller gave up", async () => {
    const gate = new Gate<string>();
    const { client, runs } = bank(() => gate.promise);
    const bot = client();
    const first = bot.pay.start(1, key("a"));
    await settled();
    await first.cancel();
    await failure(first);
    gate.open("paid");
    expect(await bot.pay(1, key("a"))).toBe("paid");
    expect(runs).toHaveLength(1);
  });

  it("refuses a key that comes with another input, running or done", async () => {
    const gate = new Gate<string>();
    const { client, runs } = bank(() => gate.promise);
    const bot = client();
    const first = bot.pay({ euros: 1 }, key("a"));
    const conflict = { code: "ALREADY_EXISTS", reason: "CONFLICT" };
    expect(await failure(bot.pay({ euros: 2 }, key("a")))).toMatchObject(conflict);
    gate.open("paid");
    await first;
    expect(await failure(bot.pay({ euros: 3 }, key("a")))).toMatchObject(conflict);
    expect(await bot.pay({ euros: 1 }, key("a"))).toBe("paid");
    expect(runs).toHaveLength(1);
  });

  it("knows keys apart by method and by peer, and leaves calls without a key alone", async () => {
    const { client, runs } = bank((_input, _context, run) => run);
    const [one, two] = [client(), client()];
    expect(await one.pay(1, key("a"))).toBe(1);
    expect(await one.other(1, key("a"))).toBe(2);
    expect(await one.pay(1)).toBe(3);
    expect(await one.pay(1)).toBe(4);
    // Both clients are of this process: without authentication they are the same peer.
    expect(await two.pay(1, key("a"))).toBe(1);
    expect(runs).toHaveLength(4);
  });

  it("forgets after keepMs, without a timer", async () => {
    const { client, runs, clock } = bank((_input, _context, run) => run, { keepMs: 1_000 });
    const bot = client();
    await bot.pay(1, key("a"));
    expect(clock.timerCount).toBe(0);
    await clock.advance(999);
    expect(await bot.pay(1, key("a"))).toBe(1);
    await clock.advance(1);
    expect(await bot.pay(1, key("a"))).toBe(2);
    expect(runs).toHaveLength(2);
  });

  it("keeps no more than maxBytes", async () => {
    const { client, runs } = bank(() => "x".repeat(10_000), { maxBytes: 25_000 });
    const bot = client();
    for (const name of ["a", "b", "c"]) await bot.pay(1, key(name));
    await bot.pay(1, key("c"));
    expect(runs).toHaveLength(3);
    await bot.pay(1, key("a"));
    expect(runs).toHaveLength(4);
  });

  it("gives each repeat a value of its own, as it was when the handler ended", async () => {
    const shared = { count: 0 };
    const { cached } = bank(() => shared);
    const bot = createClient(Bank, memory(cached, { replyCache: false }));
    await bot.pay(1, key("a"));
    shared.count = 99;
    expect(await bot.pay(1, key("a"))).toEqual({ count: 0 });
  });

  it("does not run a handler again whose output cannot travel", async () => {
    const { client, runs } = bank(() => () => undefined);
    const bot = client();
    for (let i = 0; i < 2; i++)
      expect(await failure(bot.pay(1, key("a")))).toMatchObject({ code: "INTERNAL", reason: "RESULT_UNSERIALIZABLE" });
    expect(runs).toHaveLength(1);
  });

  it("works before a gateway, whose values are encoded", async () => {
    const runs: unknown[] = [];
    const pay = (input: unknown): unknown => {
      const run = runs.push(input);
      if (input === "fail") throw new RpcError("ABORTED", "no", { reason: "NO", details: { run } });
      return { run };
    };
    const backend = memory(createRouter(Bank, { pay, other: pay }), { replyCache: false });
    const bot = createClient(Bank, memory(replyCache(forward(backend)), { replyCache: false }));
    for (let i = 0; i < 2; i++) expect(await bot.pay("ok", key("a"))).toEqual({ run: 1 });
    for (let i = 0; i < 2; i++) expect((await failure(bot.pay("fail", key("b")))).details).toEqual({ run: 2 });
    expect((await failure(bot.pay("other", key("a")))).reason).toBe("CONFLICT");
    expect(runs).toHaveLength(2);
  });

  it.each(["maxEntries", "maxBytes", "keepMs"])("refuses a %s that is none", (name) => {
    const handler = createRouter(Bank, { pay: () => 1, other: () => 1 });
    expect(thrownBy(() => replyCache(handler, { [name]: -1 })).message).toContain(name);
    expect(thrownBy(() => replyCache(handler, { [name]: Number.NaN })).code).toBe("INVALID_ARGUMENT");
  });
});

it("behaves like a list of replies by key, whatever is called in which order", async () => {
  const KEEP_MS = 100;
  const MAX = 3;
  const step = fc.oneof(
    fc.record({
      call: fc.constantFrom("a", "b", "c", "d", "e"),
      input: fc.constantFrom(1, 1, 1, 2),
      code: fc.constantFrom("OK", "OK", "ABORTED", "UNAVAILABLE"),
    }),
    fc.record({ sleepMs: fc.constantFrom(1, 40, 99, 100) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      let code = "OK";
      let runs = 0;
      const clock = new FakeClock();
      const router = createRouter(Bank, {
        pay: () => {
          runs++;
          if (code !== "OK") throw new RpcError(code as "ABORTED", String(runs));
          return String(runs);
        },
        other: () => null,
      });
      const transport = memory(replyCache(router, { clock, keepMs: KEEP_MS, maxEntries: MAX }), { replyCache: false });
      const bot = createClient(Bank, transport);
      // The model: replies with their time, oldest first.
      let model: { key: string; input: number; text: string; until: number }[] = [];
      for (const one of steps) {
        if ("sleepMs" in one) {
          await clock.advance(one.sleepMs);
          continue;
        }
        ({ code } = one);
        const before = runs;
        model = model.filter(({ until }) => until > clock.now());
        const kept = model.find(({ key: name }) => name === one.call);
        const text = await bot
          .pay(one.input, key(one.call))
          .then(String, (error: RpcError) => (error.reason === "CONFLICT" ? "conflict" : error.message));
        const fresh = String(before + 1);
        const expected = kept === undefined ? fresh : kept.input === one.input ? kept.text : "conflict";
        expect([text, runs]).toEqual([expected, kept === undefined ? before + 1 : before]);
        if (kept !== undefined || code === "UNAVAILABLE") continue;
        model = [...model, { key: one.call, input: one.input, text, until: clock.now() + KEEP_MS }].slice(-MAX);
      }
      await transport.close();
    }),
    { numRuns: 60 },
  );
});
