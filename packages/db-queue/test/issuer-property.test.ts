import { RpcError } from "@rpc/core";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createDbQueue } from "../src/issuer/create-db-queue.ts";
import type { DbQueue } from "../src/issuer/db-queue.ts";
import type { Claim } from "../src/store/store-words.ts";
import type { QueueStore, WakeListener } from "../src/store/store.ts";
import { turns } from "./agent-rig.ts";
import { Bot, BOT } from "./issuer-rig.ts";
import { openSqliteRig, type SqliteRig } from "./sqlite-rig.ts";

const AGENT = { address: BOT, agent: "a", incarnation: "a-1" };
const LEASE_MS = 5000;

type Step =
  | { readonly do: "call"; readonly expiresMs: number | undefined; readonly timeoutMs: number | undefined }
  | { readonly do: "cancel"; readonly which: number }
  | { readonly do: "advance"; readonly ms: number }
  | { readonly do: "claim" }
  | { readonly do: "answer"; readonly which: number; readonly fails: boolean }
  | { readonly do: "deafen"; readonly isDeaf: boolean }
  | { readonly do: "break"; readonly isBroken: boolean }
  | { readonly do: "tell"; readonly isTold: boolean }
  | { readonly do: "turn" };

const maybeMs = fc.option(fc.constantFrom(1, 100, 3000, 60_000), { nil: undefined });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("call" as const), expiresMs: maybeMs, timeoutMs: maybeMs }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cancel" as const), which: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.constantFrom(1, 50, 2000, 8000) }) },
  { weight: 3, arbitrary: fc.constant({ do: "claim" as const }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("answer" as const), which: fc.nat(2), fails: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("deafen" as const), isDeaf: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("break" as const), isBroken: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("tell" as const), isTold: fc.boolean() }) },
  { weight: 2, arbitrary: fc.constant({ do: "turn" as const }) },
);

interface Call {
  readonly controller: AbortController;
  readonly timeoutMs: number | undefined;
  ends: number;
  value: unknown;
  error: RpcError | undefined;
}

/** Loses wake-ups, or what they say of outcomes, and refuses reads, when told to. */
class Harmed {
  isDeaf = false;
  isTold = true;
  isBroken = false;

  of(store: QueueStore): QueueStore {
    return new Proxy(store, {
      get: (target, name, self) => {
        if (name === "watch") return (listener: WakeListener) => target.watch(this.#halfDeaf(listener));
        if (name === "outcomes" && this.isBroken)
          return () => Promise.reject(new RpcError("UNAVAILABLE", "the database is away"));
        return Reflect.get(target, name, self) as unknown;
      },
    });
  }

  #halfDeaf(listener: WakeListener): WakeListener {
    return {
      wake: (topic, outcome) => void (this.isDeaf || listener.wake(topic, this.isTold ? outcome : undefined)),
      wakeAll: () => void (this.isDeaf || listener.wakeAll()),
    };
  }
}

class World {
  readonly rig: SqliteRig;
  readonly queue: DbQueue;
  readonly #harm = new Harmed();
  readonly calls: Call[] = [];
  #claims: Claim[] = [];

  constructor(rig: SqliteRig) {
    this.rig = rig;
    this.queue = createDbQueue(this.#harm.of(rig.store), { clock: rig.clock, random: () => 0.5, pollMs: 2000 });
  }

  async run(each: Step): Promise<void> {
    const { store, clock } = this.rig;
    switch (each.do) {
      case "call":
        return this.#call(each.expiresMs, each.timeoutMs);
      case "cancel":
        return this.calls[each.which]?.controller.abort(new Error("enough"));
      case "advance":
        clock.advance(each.ms);
        return turns(3);
      case "claim": {
        await turns(2);
        const [claimed] = await store.claim([{ ...AGENT, max: 2, leaseMs: LEASE_MS }]);
        if (claimed !== undefined && !(claimed instanceof RpcError)) this.#claims.push(...claimed.claims);
        return undefined;
      }
      case "answer": {
        const claim = this.#claims[each.which];
        if (claim === undefined) return undefined;
        this.#claims = this.#claims.filter((other) => other !== claim);
        const { id, token, args } = claim;
        const [input] = JSON.parse(args) as unknown[];
        // A lease that is over is refused, which is the store's business.
        await store.settle([
          each.fails
            ? { id, token, outcome: "failed", error: JSON.stringify({ code: "INTERNAL", message: String(input) }) }
            : { id, token, outcome: "done", result: JSON.stringify(input) },
        ]);
        return undefined;
      }
      case "deafen":
        this.#harm.isDeaf = each.isDeaf;
        return undefined;
      case "tell":
        this.#harm.isTold = each.isTold;
        return undefined;
      case "break":
        this.#harm.isBroken = each.isBroken;
        return undefined;
      case "turn":
        return turns(1);
    }
  }

  /** Time enough for every command to end, and for every end to be heard of. */
  async end(): Promise<void> {
    this.#harm.isDeaf = false;
    this.#harm.isBroken = false;
    for (let round = 0; round < 40 && this.calls.some(({ ends }) => ends === 0); round++) {
      await this.run({ do: "claim" });
      for (const claim of this.#claims.slice()) {
        await this.run({ do: "answer", which: this.#claims.indexOf(claim), fails: false });
      }
      await this.run({ do: "advance", ms: 2000 });
    }
  }

  #call(expiresMs: number | undefined, timeoutMs: number | undefined): void {
    const call: Call = { controller: new AbortController(), timeoutMs, ends: 0, value: undefined, error: undefined };
    const number = this.calls.push(call) - 1;
    const bot = this.queue.proxy(Bot, BOT, { expires: expiresMs });
    bot.echo(number, { timeoutMs, signal: call.controller.signal }).then(
      (value) => {
        call.ends += 1;
        call.value = value;
      },
      (error: unknown) => {
        call.ends += 1;
        call.error = error as RpcError;
      },
    );
  }
}

describe("every call", () => {
  it("Q51 ends once, with what its row came to, whatever is cancelled, lost, late or away", async () => {
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.array(step, { minLength: 5, maxLength: 40 }), async (isDeaf, steps) => {
        const rig = await openSqliteRig({}, { synchronous: "normal" });
        const world = new World(rig);
        try {
          await rig.store.ensureAddress(BOT);
          await rig.store.subscribe(AGENT);
          await world.run({ do: "deafen", isDeaf });
          for (const each of steps) await world.run(each);
          await world.end();
          const rows = await rig.store.list({ limit: 1000 });
          const stateOf = new Map(rows.map((row) => [Number((JSON.parse(row.args) as unknown[])[0]), row.state]));
          for (const [number, call] of world.calls.entries()) {
            const state = stateOf.get(number);
            expect(call.ends, `ends of call ${number} (${state})`).toBe(1);
            expect(fits(call, number, state), `call ${number} ended ${call.error?.reason}, its row ${state}`).toBe(
              true,
            );
          }
        } finally {
          await world.queue.close();
          await rig.close();
        }
        expect(rig.clock.pendingCount).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

/** Whether what its caller heard fits what the table says. */
function fits({ value, error, controller, timeoutMs }: Call, number: number, state: string | undefined): boolean {
  if (error === undefined) return value === number && state === "done";
  switch (error.reason) {
    case "CANCELLED":
      return controller.signal.aborted;
    case "DEADLINE":
      return timeoutMs !== undefined;
    case "EXPIRED":
      return state === "expired";
    case "LEASE_LOST":
    case "INTERNAL":
      return state === "failed";
    default:
      throw error;
  }
}
