import { createRouter, defineContract, dynamicRouter, type HandlerContext, type RpcError, unary } from "@rpc/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { CommandFailure } from "../src/command/command-failure.ts";
import { metaText } from "../src/command/meta.ts";
import { AGENT_ADDRESS, type AgentRig, gate, turns } from "./agent-rig.ts";
import { parrot } from "./parrot.ts";

const Bot = defineContract("test.Bot", {
  add: unary({
    input: z.object({ a: z.number(), b: z.number() }),
    output: z.number(),
    errors: { TOO_LARGE: z.object({ limit: z.number() }) },
  }),
  run: unary({ input: z.unknown(), output: z.unknown() }),
});

type Run = (input: unknown, context: HandlerContext) => unknown;

export function bot(run: Run): ReturnType<typeof createRouter<typeof Bot>> {
  return createRouter(Bot, {
    add: ({ a, b }) => {
      if (a > 100) throw Bot.add.error("TOO_LARGE", { limit: 100 });
      return a + b;
    },
    run,
  });
}

const errorOf = ({ error }: { readonly error: string | undefined }): Record<string, unknown> =>
  JSON.parse(error ?? "{}") as Record<string, unknown>;

/** What every agent must do, whatever its database. Titles name the rows of the feature list that they prove. */
export function agentSuite(openRig: () => Promise<AgentRig>): void {
  let rig: AgentRig;
  beforeEach(async () => {
    rig = await openRig();
  });
  afterEach(() => rig.close());

  describe("what an agent does with commands", () => {
    it("runs the backlog in order, then what comes, and writes results into the rows (Q16)", async () => {
      const early = [await rig.insert("add", { kwargs: '{"a":1,"b":2}' }), await rig.insert("run", { args: "[5]" })];
      const seen: unknown[] = [];
      await rig.serve(bot((input) => seen.push(input)));
      expect((await rig.ended(early[0] ?? 0)).result).toBe("3");
      await rig.ended(early[1] ?? 0);
      const late = await rig.insert("run", { args: "[6]" });
      expect(await rig.ended(late)).toMatchObject({ state: "done", result: "2", agent: "bot" });
      expect(seen).toEqual([5, 6]);
    });

    it("is the parrot of the conformance: any method, prints the call, answers true, raises on demand (Q40)", async () => {
      const printed: string[] = [];
      await rig.serve(parrot((line) => printed.push(line)));
      const said = await rig.insert("ping", { args: '[1,"a"]', kwargs: '{"request":false}' });
      const raised = await rig.insert("ping", { kwargs: '{"exception":"no"}' });
      const nested = await rig.insert("ping", { kwargs: '{"rpc_exception":"gone"}' });
      expect((await rig.ended(said)).result).toBe("true");
      expect(errorOf(await rig.ended(raised))).toMatchObject({ code: "INTERNAL", message: "no", type: "TypeError" });
      expect(errorOf(await rig.ended(nested))).toMatchObject({
        code: "NESTED_RPC",
        status: "NOT_FOUND",
        reason: "NO_RECORD",
      });
      expect(printed).toEqual([
        'called: ping(1, "a", request=false)',
        'called: ping(exception="no")',
        'called: ping(rpc_exception="gone")',
      ]);
    });

    it("tells refusals, declared errors, wrong arguments, unknown methods and unwritable results apart (Q11, Q12)", async () => {
      await rig.serve(
        bot((input) => {
          if (input === "refuse") throw new CommandFailure("Error!", "not today", { code: 7 });
          if (input === "symbol") return { value: Symbol("no JSON") };
          throw new Error("broken");
        }),
      );
      const words = async (method: string, command: object): Promise<Record<string, unknown>> => {
        const row = await rig.ended(await rig.insert(method, command));
        expect(row.state).toBe("failed");
        return errorOf(row);
      };
      expect(await words("run", { args: '["refuse"]' })).toMatchObject({
        code: "COMMAND_FAILURE",
        failure: { title: "Error!", text: "not today", code: 7 },
      });
      expect(await words("run", { args: '["symbol"]' })).toMatchObject({ code: "RESULT_UNSERIALIZABLE" });
      expect(await words("run", { args: '["other"]' })).toMatchObject({ code: "INTERNAL", message: "broken" });
      expect(await words("add", { kwargs: '{"a":101,"b":1}' })).toMatchObject({
        reason: "TOO_LARGE",
        details: { limit: 100 },
      });
      expect(await words("add", { kwargs: '{"a":"x"}' })).toMatchObject({ code: "INVALID_ARGS" });
      expect(await words("add", { args: "[1,2,3]" })).toMatchObject({ code: "INVALID_ARGS" });
      expect(await words("nothing", {})).toMatchObject({ code: "METHOD_NOT_FOUND", delivered: "no" });
    });

    it.each(["constructor", "__proto__", "then", "stop", "toString", "call", "method", "test.Bot.constructor"])(
      "never dispatches %s, whatever the handler is (Q14)",
      async (method) => {
        const names = dynamicRouter();
        names.register({ hello: () => "hi" });
        await rig.serve(names);
        const row = await rig.ended(await rig.insert(method));
        expect(errorOf(row)).toMatchObject({ code: "METHOD_NOT_FOUND" });
      },
    );

    it("is strictly serial unless told otherwise, and runs `concurrency` at once", async () => {
      for (const concurrency of [1, 3]) {
        const open = gate();
        let most = 0;
        let now = 0;
        const agent = await rig.serve(
          bot(async () => {
            most = Math.max(most, ++now);
            await open.promise;
            now--;
          }),
          { name: `bot${concurrency}`, concurrency },
        );
        const ids = await Promise.all([1, 2, 3, 4, 5].map(() => rig.insert("run")));
        await rig.until(() => agent.running === concurrency);
        open.open();
        for (const id of ids) expect((await rig.ended(id)).state).toBe("done");
        expect(most).toBe(concurrency);
        await agent.close();
      }
    });

    it("shows the handler its context: id, attempt, issuer, metadata, deadline, key", async () => {
      let seen: HandlerContext | undefined;
      await rig.serve(
        bot((_input, context) => {
          seen = context;
          context.responseMetadata.set("x-said", "yes");
          return 1;
        }),
      );
      const meta = metaText({ contract: "test.Bot", callId: "call-1", depth: 2, deadlineLagMs: 500 });
      const id = await rig.insert("run", {
        meta,
        createdBy: "xrg",
        idempotencyKey: "k",
        expiresMs: 10_000,
        maxAttempts: 3,
      });
      expect((await rig.ended(id)).result).toBe('{"$reply":{"value":1,"metadata":{"x-said":"yes"}}}');
      expect(seen).toMatchObject({ id: "call-1", attempt: 1, depth: 2, idempotencyKey: "k", observed: true });
      // Whoever can insert can write any name: it must not pass for one that was proved.
      expect(seen?.peer.identity).toBeUndefined();
      expect(seen?.peer.endpoint).toMatch(/\/\d+ \(from xrg\)$/);
      // What it took the database is taken off.
      expect(seen?.deadline).toBeLessThanOrEqual(rig.clock.now() + 10_500);
      expect(seen?.deadline).toBeGreaterThan(rig.clock.now() + 8000);
      expect(() => seen?.peer.client(Bot)).toThrow(/pair it with another transport/);
    });

    it("tries again what may be, after a pause, and no more often than it may (Q54)", async () => {
      const attempts: number[] = [];
      await rig.serve(
        bot((_input, { attempt }) => {
          attempts.push(attempt);
          throw new Error("again");
        }),
      );
      const id = await rig.insert("run", { maxAttempts: 3 });
      await rig.until(() => attempts.length === 1);
      await rig.advanceUntil(() => attempts.length === 3);
      expect(await rig.ended(id)).toMatchObject({ state: "failed", attempts: 3 });
      expect(attempts).toEqual([1, 2, 3]);
    });

    it("starts a delayed command when it is due, and not before", async () => {
      let count = 0;
      await rig.serve(bot(() => void count++));
      const id = await rig.insert("run", { delayMs: 5000 });
      await rig.advance(2000);
      expect(count).toBe(0);
      await rig.advanceUntil(() => count === 1);
      expect((await rig.ended(id)).state).toBe("done");
    });
  });

  describe("start", () => {
    it("calls onStartup after subscribing and before the first command (Q15)", async () => {
      const order: string[] = [];
      const id = await rig.insert("run");
      await rig.serve(
        bot(() => void order.push("command")),
        {
          onStartup: async () => {
            await turns(5);
            order.push(`startup of ${(await rig.store.listAgents()).length}`);
          },
        },
      );
      await rig.ended(id);
      expect(order).toEqual(["startup of 1", "command"]);
    });

    it("ends when onStartup throws: unsubscribed, the command untouched", async () => {
      const id = await rig.insert("run");
      const failing = rig.serve(
        bot(() => 1),
        {
          onStartup: () => {
            throw new Error("no disk");
          },
        },
      );
      await expect(failing).rejects.toThrow('agent "bot": onStartup failed: no disk');
      expect(await rig.store.listAgents()).toEqual([]);
      expect((await rig.row(id)).state).toBe("queued");
    });

    it("refuses an address that is not there, or waits for it when told to", async () => {
      const other = "late:1";
      await expect(
        rig.serve(
          bot(() => 1),
          { address: other },
        ),
      ).rejects.toMatchObject({ code: "NOT_FOUND", reason: "NO_ADDRESS" });
      const waiting = rig.begin(
        bot(() => 1),
        { address: other, waitForAddress: true },
      );
      await rig.until(() => rig.errors.some(({ message }) => message.includes("waits to be subscribed")));
      await rig.store.ensureAddress(other);
      let isThere = false;
      void waiting.then(() => (isThere = true));
      await rig.advanceUntil(() => isThere);
      expect((await waiting).address).toBe(other);
    });

    it("has a name and an incarnation of its own by default (Q18)", async () => {
      const agent = await rig.serve(
        bot(() => 1),
        { name: undefined },
      );
      expect(agent.name).not.toBe("");
      expect(agent.name).not.toContain(".");
      expect(agent.incarnation).toMatch(new RegExp(`^${agent.name}-${process.pid}-[0-9a-f]{8}$`));
    });

    it.each([
      [{ concurrency: 0 }, /concurrency/],
      [{ leaseMs: 5 }, /leaseMs/],
      [{ pollMs: Number.NaN }, /pollMs/],
      [{ name: "" }, /name/],
      [{ store: undefined }, /a queue, a store or a service/],
    ])("refuses %o", async (options, message) => {
      await expect(
        rig.serve(
          bot(() => 1),
          options,
        ),
      ).rejects.toThrow(message);
    });
  });

  describe("single shot (Q17)", () => {
    it("ends after the backlog, what comes meanwhile included", async () => {
      const ids = [await rig.insert("run"), await rig.insert("run")];
      let isFirst = true;
      const agent = await rig.serve(
        bot(async () => {
          if (isFirst) ids.push(await rig.insert("run"));
          isFirst = false;
        }),
        { singleShot: true },
      );
      expect(await agent.closed).toBeUndefined();
      for (const id of ids) expect((await rig.row(id)).state).toBe("done");
      expect(await rig.store.listAgents()).toEqual([]);
    });

    it("ends after one command, or at once when there is none", async () => {
      const ids = [await rig.insert("run"), await rig.insert("run")];
      const handler = bot(() => 1);
      await (
        await rig.serve(handler, { singleShot: "one", concurrency: 4 })
      ).closed;
      expect((await rig.row(ids[0] ?? 0)).state).toBe("done");
      expect((await rig.row(ids[1] ?? 0)).state).toBe("queued");
      await (
        await rig.serve(handler, { singleShot: true })
      ).closed;
      await (
        await rig.serve(handler, { singleShot: "one" })
      ).closed;
      expect((await rig.row(ids[1] ?? 0)).state).toBe("done");
    });
  });

  describe("leases and cancellation", () => {
    it("aborts the signal of a cancelled command with the reason, at once (Q52)", async () => {
      let reason: unknown;
      await rig.serve(
        bot((_input, { signal }) => {
          const { promise, reject } = Promise.withResolvers<never>();
          signal.addEventListener("abort", () => {
            reason = signal.reason;
            reject(signal.reason as Error);
          });
          return promise;
        }),
      );
      const id = await rig.insert("run");
      await rig.until(async () => (await rig.row(id)).state === "claimed");
      await rig.store.cancel([{ id, reason: "changed my mind" }]);
      const row = await rig.ended(id);
      expect(row.state).toBe("cancelled");
      expect(errorOf(row)).toMatchObject({ code: "CANCELLED" });
      expect(String(reason)).toContain("changed my mind");
    });

    it("writes the real outcome of a cancelled command that finishes first", async () => {
      const open = gate<number>();
      await rig.serve(bot(() => open.promise));
      const id = await rig.insert("run");
      await rig.until(async () => (await rig.row(id)).state === "claimed");
      await rig.store.cancel([{ id }]);
      await turns(5);
      open.open(42);
      expect(await rig.ended(id)).toMatchObject({ state: "done", result: "42" });
    });

    it("hears of a cancellation in another process, without renewing leases for it", async () => {
      const open = gate();
      const reasons: unknown[] = [];
      await rig.serve(
        bot(async (_input, { signal }) => {
          signal.addEventListener("abort", () => {
            reasons.push(signal.reason);
            open.open();
          });
          await open.promise;
          throw signal.reason;
        }),
      );
      const id = await rig.insert("run");
      await rig.until(async () => (await rig.row(id)).state === "claimed");
      const { leaseUntilAt } = await rig.row(id);
      await rig.another().cancel([{ id, reason: "from afar" }]);
      await rig.advanceUntil(() => reasons.length > 0, 10);
      expect(await rig.ended(id)).toMatchObject({ state: "cancelled" });
      expect(reasons).toHaveLength(1);
      expect(leaseUntilAt).toBeDefined();
    });

    it("never starts a prefetched command that was cancelled or has expired meanwhile", async () => {
      const open = gate();
      const seen: unknown[] = [];
      const agent = await rig.serve(
        bot(async (input) => {
          seen.push(input);
          await open.promise;
        }),
        { prefetch: 2 },
      );
      const first = await rig.insert("run", { args: '["first"]' });
      const cancelled = await rig.insert("run", { args: '["cancelled"]' });
      const expiring = await rig.insert("run", { args: '["expiring"]', expiresMs: 5000 });
      await rig.until(async () => (await rig.row(expiring)).state === "claimed");
      await rig.store.cancel([{ id: cancelled, reason: "no" }]);
      expect((await rig.ended(cancelled)).state).toBe("cancelled");
      await rig.advance(6000);
      open.open();
      await rig.ended(first);
      await rig.advanceUntil(async () => (await rig.row(expiring)).state === "expired");
      expect(seen).toEqual(["first"]);
      expect(agent.running).toBe(0);
    });

    it("aborts a handler whose deadline has passed, by the local clock", async () => {
      let code: unknown;
      await rig.serve(
        bot(
          (_input, { signal }) =>
            new Promise((_resolve, reject) => {
              signal.addEventListener("abort", () => {
                code = (signal.reason as RpcError).code;
                reject(signal.reason as Error);
              });
            }),
        ),
      );
      const id = await rig.insert("run", { meta: metaText({ deadlineLagMs: 0 }), expiresMs: 2000 });
      await rig.until(async () => (await rig.row(id)).state === "claimed");
      await rig.advanceUntil(() => code !== undefined);
      const row = await rig.ended(id);
      expect(code).toBe("DEADLINE_EXCEEDED");
      expect(row.state).toBe("failed");
      expect(errorOf(row)).toMatchObject({ status: "DEADLINE_EXCEEDED" });
    });

    it("ends the row of a cancelled command whose handler does not stop, and says so", async () => {
      const open = gate();
      const agent = await rig.serve(
        bot(() => open.promise),
        { abortGraceMs: 5000 },
      );
      const id = await rig.insert("run");
      await rig.until(async () => (await rig.row(id)).state === "claimed");
      await rig.store.cancel([{ id }]);
      await turns(5);
      await rig.advanceUntil(async () => (await rig.row(id)).state === "cancelled");
      expect(agent.running).toBe(1);
      expect(rig.errors.map(({ reason }) => reason)).toContain("HANDLER_STUCK");
      open.open();
      await rig.until(() => agent.running === 0);
    });

    it("ends when another incarnation comes, and says so; nothing is claimed twice", async () => {
      const old = await rig.serve(bot(() => 1));
      const successor = await rig.serve(bot(() => 2));
      const id = await rig.insert("run");
      expect(await old.closed).toMatchObject({
        code: "ABORTED",
        reason: "FENCED",
        message: expect.stringContaining("two programs have this name (give each its own)"),
      });
      expect((await rig.ended(id)).result).toBe("2");
      expect((await rig.store.listAgents()).map(({ incarnation }) => incarnation)).toEqual([successor.incarnation]);
    });
  });

  describe("progress and log (Q53)", () => {
    it("go at once when there are many, in the order in which they were said", async () => {
      await rig.serve(
        bot((_input, context) => {
          for (let line = 0; line < 350; line++) context.log(String(line));
        }),
      );
      const id = await rig.insert("run");
      await rig.ended(id);
      const lines = await rig.store.readEvents(id, { limit: 1000 });
      expect(lines.map(({ data }) => (JSON.parse(data) as { message: string }).message)).toEqual(
        Array.from({ length: 350 }, (_, line) => String(line)),
      );
    });

    it("are cut, or refused, beyond 64 KiB", async () => {
      await rig.serve(
        bot((_input, context) => {
          context.log("é\u0001".repeat(100_000));
          expect(() => context.progress("x".repeat(70_000))).toThrow(/64 KiB/);
        }),
      );
      const id = await rig.insert("run");
      expect((await rig.ended(id)).state).toBe("done");
      const [line] = await rig.store.readEvents(id);
      expect(line?.data.length).toBeLessThanOrEqual(64 * 1024);
      expect(line?.data).toContain("…");
    });
  });

  describe("close (Q20)", () => {
    it("finishes what runs, gives back what has not started as if it had never been claimed, and unsubscribes", async () => {
      const open = gate();
      const agent = await rig.serve(
        bot(() => open.promise),
        { prefetch: 3 },
      );
      const running = await rig.insert("run");
      const waiting = await rig.insert("run");
      await rig.until(async () => (await rig.row(waiting)).state === "claimed");
      const closing = agent.close({ drainMs: 5000 });
      await rig.until(async () => (await rig.row(waiting)).state === "queued");
      expect((await rig.row(waiting)).attempts).toBe(0);
      open.open();
      await closing;
      expect((await rig.row(running)).state).toBe("done");
      expect(await agent.closed).toBeUndefined();
      expect(await rig.store.listAgents()).toEqual([]);
    });

    it("aborts what runs longer: queued again with attempts left, else failed with an unknown outcome", async () => {
      const agent = await rig.serve(
        bot(() => new Promise(() => undefined)),
        { concurrency: 2 },
      );
      const once = await rig.insert("run");
      const often = await rig.insert("run", { maxAttempts: 2 });
      await rig.until(async () => (await rig.row(often)).state === "claimed");
      await agent.close();
      const row = await rig.row(once);
      expect(row.state).toBe("failed");
      expect(errorOf(row)).toMatchObject({ code: "LEASE_LOST", delivered: "unknown" });
      expect(await rig.row(often)).toMatchObject({ state: "queued", attempts: 1 });
    });

    it("does not unsubscribe its successor", async () => {
      const old = await rig.serve(bot(() => 1));
      await rig.serve(bot(() => 2));
      await old.close();
      expect(await rig.store.listAgents()).toHaveLength(1);
    });

    it("ends by a signal as well, also before it has started", async () => {
      const early = rig.begin(
        bot(() => 1),
        { signal: AbortSignal.abort() },
      );
      await expect(early).rejects.toMatchObject({ code: "CANCELLED" });
      const controller = new AbortController();
      const agent = await rig.serve(
        bot(() => 1),
        { signal: controller.signal },
      );
      controller.abort();
      expect(await agent.closed).toBeUndefined();
      expect(rig.clock.pendingCount).toBeLessThanOrEqual(1);
      expect(await rig.store.listAgents(AGENT_ADDRESS)).toEqual([]);
    });
  });
}
