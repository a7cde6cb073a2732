import { RpcError } from "@rpc/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createDbQueue } from "../src/issuer/create-db-queue.ts";
import { PART } from "../src/command/spill.ts";
import { faultyStore } from "./faulty-store.ts";
import { Bot, BOT, botOf, type IssuerRig, openIssuerRig } from "./issuer-rig.ts";

const MEGABYTE = 1024 * 1024;
// Pairs of surrogates at odd places, and what JSON escapes.
const LARGE = `x${"😀\u0000\\".repeat(400_000)}`;

let rig: IssuerRig;
beforeEach(async () => {
  rig = await openIssuerRig({ maxResultBytes: 8 * MEGABYTE });
});
afterEach(() => rig.close());

describe("a result that is too large for its row", () => {
  it("Q05 Q51 stands in events and is put together for whoever awaits it, by call or by handle", async () => {
    const agent = await rig.serve(botOf({ echo: () => LARGE }), { maxResultBytes: 8 * MEGABYTE });
    expect(await rig.queue.proxy(Bot, BOT).echo(1)).toBe(LARGE);
    const handle = rig.queue.issue(BOT, Bot.echo, 1);
    expect(await handle).toBe(LARGE);
    const row = await handle.row();
    expect(row.result).toMatch(/^\{"\$spill":\{"attempt":1,"parts":\d+,"characters":\d+,"afterSeq":0\}\}$/);
    const parts = await rig.store.readEvents(row.id, { limit: 1000 });
    expect(parts.every(({ kind, data }) => kind === PART && Buffer.byteLength(data) <= 65_536)).toBe(true);
    for await (const event of handle.events()) expect.unreachable(event.kind);
    await agent.close();
    expect(await rig.elsewhere({ maxResultBytes: 8 * MEGABYTE }).handle(row.id, Bot.echo)).toBe(LARGE);
  });

  it("comes after what the handler said, and stays apart from it", async () => {
    await rig.serve(
      botOf({
        echo: (_input, context) => {
          context.log("working");
          return "y".repeat(2 * MEGABYTE);
        },
      }),
    );
    const call = rig.queue.proxy(Bot, BOT).echo.start(1);
    const said: string[] = [];
    for await (const { message } of call.log) said.push(message);
    expect(said).toEqual(["working"]);
    expect(await call).toHaveLength(2 * MEGABYTE);
  });

  it("Q55 is a copy's own in a broadcast, and so is its fault", async () => {
    await rig.serve(botOf({ echo: () => "a".repeat(2 * MEGABYTE) }), { name: "a" });
    await rig.serve(botOf({ echo: () => "b" }), { name: "b" });
    await rig.serve(botOf({ echo: () => "c".repeat(9 * MEGABYTE) }), { name: "c", maxResultBytes: 10 * MEGABYTE });
    const [a, b, c] = await rig.queue.issueToAll(BOT, Bot.echo, 1);
    expect(a?.state === "done" && a.result).toHaveLength(2 * MEGABYTE);
    expect(b).toMatchObject({ state: "done", result: "b" });
    expect(c?.state === "failed" && c.error).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "maxResultBytes" });
  });

  it("counts once when nobody knew whether its parts had arrived, and is read beside those of an earlier try", async () => {
    const faulty = faultyStore(rig.store);
    let isLost = true;
    let tries = 0;
    faulty.break("appendEvents", async (run) => {
      const done = await run();
      if (!isLost) return done;
      isLost = false;
      throw new RpcError("UNAVAILABLE", "the connection was lost", { delivered: "unknown" });
    });
    await rig.serve(botOf({ echo: () => `${++tries} ${LARGE}` }), {
      store: faulty.store,
      maxResultBytes: 8 * MEGABYTE,
    });
    const call = rig.queue.proxy(Bot, BOT).echo(1);
    await rig.until(() => !isLost);
    await rig.advance(2000);
    expect(await call).toBe(`1 ${LARGE}`);
    const [row] = await rig.queue.list();
    const parts = await rig.store.readEvents(row?.id ?? 0, { limit: 1000 });
    expect(parts.filter(({ data }) => data.startsWith('{"attempt":1,"part":0,'))).toHaveLength(1);
  });

  it("whose parts are not all there is an error and no half of it", async () => {
    await rig.serve(botOf({ echo: () => "z".repeat(2 * MEGABYTE) }));
    const faulty = faultyStore(rig.store);
    faulty.break("readEvents", async (run) => ((await run()) as unknown[]).slice(1));
    const id = await rig.queue.send(BOT, "echo", [1]).accepted;
    await rig.ended(id);
    const queue = createDbQueue(faulty.store, { clock: rig.clock, reaper: false });
    await expect(queue.handle(id)).rejects.toThrow(
      /command \d+ has come to cannot be read: it stands in 103 parts, of which/,
    );
    await queue.close();
  });

  it("is refused by its agent beyond maxResultBytes, and by an issuer that takes less", async () => {
    await rig.serve(botOf({ echo: (size) => "z".repeat(Number(size)) }), { maxResultBytes: 3 * MEGABYTE });
    await expect(rig.queue.proxy(Bot, BOT).echo(4 * MEGABYTE)).rejects.toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "maxResultBytes",
    });
    const handle = rig.queue.issue(BOT, Bot.echo, 2.5 * MEGABYTE);
    await handle;
    const small = rig.elsewhere({ maxResultBytes: 2 * MEGABYTE });
    await expect(small.handle(handle.id, Bot.echo)).rejects.toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      reason: "maxResultBytes",
    });
  });

  it("Q50 is dropped when its lease is lost on the way", async () => {
    const faulty = faultyStore(rig.store);
    let appended = 0;
    faulty.break("appendEvents", async (run) => {
      if (++appended === 2) {
        await rig.store.subscribe({ address: BOT, agent: "bot", incarnation: "another" });
        await rig.store.reap();
      }
      return run();
    });
    await rig.serve(botOf({ echo: () => LARGE }), { store: faulty.store, maxResultBytes: 8 * MEGABYTE });
    await expect(rig.queue.proxy(Bot, BOT).echo(1)).rejects.toMatchObject({ reason: "LEASE_LOST" });
    await rig.until(() => rig.errors.some(({ reason }) => reason === "LEASE_LOST"));
  });
});

describe("details of an error that are too large for its row", () => {
  it("Q11 arrive with their type, and the row says the rest of the error", async () => {
    const step = "s".repeat(2 * MEGABYTE);
    await rig.serve(
      botOf({
        build: () => {
          throw new RpcError("ABORTED", "it broke", { reason: "Broken", details: { step } });
        },
      }),
    );
    const handle = rig.queue.issue(BOT, Bot.build, { branch: "main" });
    await expect(handle).rejects.toMatchObject({
      code: "ABORTED",
      message: "it broke",
      reason: "Broken",
      details: { step },
    });
    const { error = "" } = await handle.row();
    expect(error.length).toBeLessThan(1000);
    expect(JSON.parse(error)).toMatchObject({ code: "COMMAND_FAILURE", message: "it broke" });
    await expect(rig.queue.proxy(Bot, BOT).build({ branch: "main" })).rejects.toMatchObject({ details: { step } });
  });

  it("are left out beyond maxResultBytes: the error itself arrives", async () => {
    await rig.serve(
      botOf({
        echo: () => {
          throw new RpcError("ABORTED", "it broke", { details: "d".repeat(5 * MEGABYTE) });
        },
      }),
    );
    await expect(rig.queue.proxy(Bot, BOT).echo(1)).rejects.toMatchObject({ message: "it broke", details: undefined });
  });
});

it("Q31 arguments that are too large are refused with their size, and with what to do instead", async () => {
  await rig.serve(botOf());
  const message =
    "test.Bot.echo: its arguments have 2097156 bytes, more than maxArgumentBytes (1048576); send a long list in chunks, as several calls, or raise the limit";
  await expect(rig.queue.proxy(Bot, BOT).echo("x".repeat(2 * MEGABYTE))).rejects.toMatchObject({
    code: "RESOURCE_EXHAUSTED",
    reason: "maxArgumentBytes",
    delivered: "no",
    message,
  });
});
