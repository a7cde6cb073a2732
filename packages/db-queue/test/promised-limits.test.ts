// What the README promises of options and limits, where no other test does.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryTransport, type Handler } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { metaText } from "../src/command/meta.ts";
import { reaperOf } from "../src/issuer/reaper.ts";
import { createRemoteStore } from "../src/remote/create-remote-store.ts";
import { createSqliteStore } from "../src/sqlite/sqlite-store.ts";
import { turns } from "./agent-rig.ts";
import { faultyStore } from "./faulty-store.ts";
import { BOT, Bot, botOf, type IssuerRig, openIssuerRig } from "./issuer-rig.ts";
import { openServiceRig, refused, type ServiceRig } from "./service-rig.ts";
import { rejection } from "./store-rig.ts";

describe("a queue", () => {
  let rig: IssuerRig;
  beforeEach(async () => {
    rig = await openIssuerRig({ maxMetadataBytes: 100, reaper: { everyMs: 1000 } });
  });
  afterEach(() => rig.close());

  it("refuses metadata that are larger than maxMetadataBytes", async () => {
    const metadata = (length: number) => ({ metadata: { "x-note": "n".repeat(length) } });
    const refusal = await rejection(Promise.resolve(rig.queue.issue(BOT, Bot.ping, undefined, metadata(101))));
    expect(refusal).toBe("RESOURCE_EXHAUSTED maxMetadataBytes");
    expect(await rig.queue.issue(BOT, Bot.ping, undefined, metadata(80)).accepted).toBe(1);
  });

  it("refuses what is longer than ten years, and takes what is not", async () => {
    const send = (expires: string): Promise<number> => rig.queue.send(BOT, "ping", [], {}, { expires }).accepted;
    expect(await send("3650d")).toBe(1);
    expect(await rejection(send("3651d"))).toMatch(/^INVALID_ARGUMENT/);
  });

  it("takes an agent for alive that was seen within liveAgentMs", async () => {
    const patient = rig.elsewhere({ liveAgentMs: 60_000 });
    await rig.store.subscribe({ address: BOT, agent: "quiet", incarnation: "quiet-1" });
    await rig.advance(50_000);
    const failFast = { failFast: true };
    expect(await rejection(rig.queue.send(BOT, "ping", [], {}, failFast).accepted)).toBe("UNAVAILABLE NO_AGENT");
    expect(await patient.send(BOT, "ping", [], {}, failFast).accepted).toBe(1);
  });

  it("tells what its reaper has done", async () => {
    const reaped: unknown[] = [];
    rig.queue.on("reaped", (report) => reaped.push(report));
    const handle = rig.queue.send(BOT, "ping", [], {}, { expires: "5s" });
    handle.catch(() => undefined);
    await handle.accepted;
    await rig.advance(7000);
    expect(reaped).toMatchObject([{ expired: 1, requeued: 0, failed: 0, cancelled: 0 }]);
  });

  it("has one reaper for each store of a process, with the options of whoever came first", () => {
    const settings = { clock: rig.clock, random: Math.random };
    const [one, other] = [faultyStore(rig.store).store, faultyStore(rig.store).store];
    expect(reaperOf(one, { ...settings, everyMs: 1000 })).toBe(reaperOf(one, { ...settings, everyMs: 2000 }));
    expect(reaperOf(other, settings)).not.toBe(reaperOf(one, settings));
  });
});

describe("an agent", () => {
  let rig: IssuerRig;
  beforeEach(async () => {
    rig = await openIssuerRig();
  });
  afterEach(() => rig.close());

  it("does not run what was called by more than 32 calls, one out of the other", async () => {
    await rig.serve(botOf());
    const meta = (depth: number): string => metaText({ contract: "test.Bot", depth });
    const fine = await rig.insert("ping", { meta: meta(32) });
    const looping = await rig.insert("ping", { meta: meta(33) });
    expect((await rig.ended(fine)).state).toBe("done");
    const { state, error } = await rig.ended(looping);
    expect(state).toBe("failed");
    expect(JSON.parse(error ?? "")).toMatchObject({ status: "RESOURCE_EXHAUSTED", reason: "maxDepth" });
  });

  it("keeps the last 2,000 events of a command while the database is away, and says how many are lost", async () => {
    const faulty = faultyStore(rig.store);
    const mend = faulty.break("appendEvents");
    const said = Promise.withResolvers<void>();
    await rig.serve(
      botOf({
        echo: async (_input, context) => {
          for (let line = 0; line < 2500; line += 1) context.log(String(line));
          said.resolve();
          await turns(1);
          return "said";
        },
      }),
      { store: faulty.store, keepEvents: "all" },
    );
    const id = await rig.insert("echo", { args: "[1]" });
    await said.promise;
    await turns(10);
    mend();
    await rig.advance(60_000);
    expect((await rig.ended(id)).state).toBe("done");
    const lost = rig.errors.find(({ reason }) => reason === "maxEvents");
    const count = Number(/the oldest (\d+) lines/.exec(lost?.message ?? "")?.[1]);
    const kept: string[] = [];
    for (let afterSeq = 0; ; afterSeq += 1000) {
      const page = await rig.store.readEvents(id, { afterSeq, limit: 1000 });
      kept.push(...page.map(({ data }) => (JSON.parse(data) as { message: string }).message));
      if (page.length < 1000) break;
    }
    expect(kept.length + count).toBe(2500);
    expect(kept.length).toBeGreaterThanOrEqual(2000);
    expect(kept.at(-1)).toBe("2499");
  });
});

describe("a store on SQLite", () => {
  it("refuses a place that has no write-ahead log", async () => {
    const folder = mkdtempSync(join(tmpdir(), "rpc-no-wal-"));
    // A file system without shared memory, as those of other machines are.
    const store = createSqliteStore({ file: `file:${join(folder, "queue.db")}?vfs=unix-none` });
    expect(await rejection(store.migrate())).toBe("FAILED_PRECONDITION NO_WAL");
    await store.close();
    rmSync(folder, { recursive: true });
  });
});

describe("a remote store", () => {
  let rig: ServiceRig;
  beforeEach(async () => {
    rig = await openServiceRig();
  });
  afterEach(() => rig.close());

  it("does not wait for an answer for longer than timeoutMs", async () => {
    const clock = createFakeClock();
    const silent: Handler = { ...rig.service, call: () => new Promise(() => undefined) };
    const transport = createMemoryTransport(silent, { clock });
    const store = createRemoteStore(transport, { timeoutMs: 1000 });
    const asked = refused(store.findAddress("bot:7"));
    await turns(5);
    clock.advance(1000);
    expect(await asked).toBe("UNAVAILABLE NO_ANSWER");
    await store.close();
    await transport.close();
  });

  it("closes its transport with closeTransport, and leaves it open without", async () => {
    const [kept, closed] = [rig.visitor(), rig.visitor()];
    await kept.remote().close();
    await closed.remote({ closeTransport: true }).close();
    expect(await refused(kept.verbs.findAddress({ address: "nobody" }))).toBe("not refused: null");
    expect(await refused(closed.verbs.findAddress({ address: "nobody" }))).toMatch(/CLOSED$/);
  });
});
