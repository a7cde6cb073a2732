// Artefacts that come in parts: over calls alone, cut anywhere, and from bots that lie.
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClientOf } from "@rpc/core";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Desk } from "../src/contracts/bot.ts";
import { Artefacts } from "../src/server/artefacts/index.ts";
import { insertRequest, listArtefacts } from "../src/server/store/index.ts";
import { type DeskRig, openDeskRig } from "./desk-rig.ts";
import { configure } from "./store-rig.ts";

const bytes = Buffer.from("the report of what was built");
const headOf = (of: Buffer) => ({
  name: "dist/report.txt",
  bytes: of.length,
  sha256: createHash("sha256").update(of).digest("hex"),
});

describe("parts of a file", () => {
  let folder = "";
  let artefacts: Artefacts;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "buildbot-parts-"));
    artefacts = new Artefacts({ folder, maxArtefactBytes: 1000 });
    await artefacts.begin();
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const parts = (): string[] => {
    const all = join(folder, "parts");
    return existsSync(all)
      ? readdirSync(all, { recursive: true, encoding: "utf8" }).filter((name) => name.includes("/"))
      : [];
  };

  test("whatever order and overlap they come in, are the file or nothing", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200 }),
        fc.array(fc.tuple(fc.nat(200), fc.nat(80), fc.boolean()), { maxLength: 12 }),
        async (any, tries) => {
          const whole = Buffer.from(any);
          const head = headOf(whole);
          let size = 0;
          for (const [at, length, isNewServer] of tries) {
            if (isNewServer) {
              artefacts = new Artefacts({ folder, maxArtefactBytes: 1000 });
              await artefacts.begin();
            }
            const offset = Math.min(at, whole.length);
            const next = await artefacts.append(7, head, offset, whole.subarray(offset, offset + length));
            expect(next).toBeGreaterThanOrEqual(size);
            size = next;
          }
          expect(await artefacts.append(7, head, size, whole.subarray(size))).toBe(whole.length);
          expect(readFileSync(artefacts.path(7, head.sha256)).equals(whole)).toBe(true);
          expect(parts()).toEqual([]);
          await artefacts.remove(7);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("leave nothing behind when they are not what was said", async () => {
    const head = headOf(bytes);
    expect(await artefacts.append(7, head, 0, bytes.subarray(0, 5))).toBe(5);
    // A gap is not taken.
    expect(await artefacts.append(7, head, 6, bytes.subarray(6))).toBe(5);
    expect(parts()).toHaveLength(1);
    await expect(artefacts.append(7, head, 20, bytes)).rejects.toThrow("of 28 bytes more have come");
    expect(parts()).toEqual([]);
    await expect(artefacts.append(7, head, 0, Buffer.alloc(28))).rejects.toMatchObject({ code: "DATA_LOSS" });
    expect(parts()).toEqual([]);
    await expect(artefacts.has(7, head)).resolves.toBe(false);
    for (const wrong of [{ name: "../x" }, { sha256: "../../x" }, { bytes: 1001 }]) {
      await expect(artefacts.append(7, { ...head, ...wrong }, 0, bytes)).rejects.toThrow("artefact");
    }
    expect(parts()).toEqual([]);
  });

  test("of two who say different things are two", async () => {
    const head = headOf(bytes);
    const other = { ...head, name: "other" };
    await Promise.all([
      artefacts.append(7, head, 0, bytes.subarray(0, 10)),
      artefacts.append(7, other, 0, bytes.subarray(0, 3)),
      artefacts.append(7, head, 0, bytes.subarray(0, 20)),
    ]);
    expect(await artefacts.countParts(7)).toBe(2);
    expect(await artefacts.append(7, head, 20, bytes.subarray(20))).toBe(bytes.length);
    await artefacts.append(8, head, 0, bytes.subarray(0, 1));
    await artefacts.dropOldParts(() => Promise.resolve((build) => build === 8));
    expect([await artefacts.countParts(7), await artefacts.countParts(8)]).toEqual([0, 1]);
    await artefacts.dropParts(8);
    expect(await artefacts.countParts(8)).toBe(0);
  });
});

describe("parts at the desk", () => {
  let house: DeskRig;
  let desk: ClientOf<typeof Desk>;
  let writer = { build: 0, incarnation: "first" };
  beforeEach(async () => {
    house = await openDeskRig();
    await configure(house.store, { pack: {} });
    await house.addBot("one");
    desk = house.desk("one");
    await insertRequest(house.store.db, { builder: "pack", reason: "", by: "ada", at: 1 });
    await desk.hello({ incarnation: "first", about: {}, running: [] });
    const [order] = await desk.claim({ incarnation: "first", max: 1 });
    writer = { build: order?.build ?? 0, incarnation: "first" };
  });
  afterEach(() => house[Symbol.asyncDispose]());

  test("are kept with the last one, and once", async () => {
    const head = { ...writer, ...headOf(bytes) };
    expect(await desk.appendArtefact({ ...head, offset: 0, chunk: bytes.subarray(0, 9) })).toEqual({ size: 9 });
    expect(await listArtefacts(house.store.db, writer.build)).toEqual([]);
    expect(await desk.appendArtefact({ ...head, offset: 9, chunk: bytes.subarray(9) })).toEqual({ size: 28 });
    expect(await desk.appendArtefact({ ...head, offset: 9, chunk: bytes.subarray(9) })).toEqual({ size: 28 });
    const kept = await listArtefacts(house.store.db, writer.build);
    expect(kept).toMatchObject([{ name: "dist/report.txt", bytes: 28 }]);
    const empty = { ...writer, ...headOf(Buffer.alloc(0)), name: "empty" };
    expect(await desk.appendArtefact({ ...empty, offset: 0, chunk: new Uint8Array() })).toEqual({ size: 0 });
    expect(await listArtefacts(house.store.db, writer.build)).toHaveLength(2);
    // The stream takes the same for there.
    await desk.uploadArtefact([head]);
  });

  test("are refused from others, of what has ended, and when they are too large", async () => {
    const head = { ...writer, ...headOf(bytes), offset: 0, chunk: bytes.subarray(0, 5) };
    await house.addBot("eve");
    const eve = house.desk("eve");
    await expect(eve.appendArtefact(head)).rejects.toMatchObject({ reason: "BuildLost" });
    await expect(desk.appendArtefact({ ...head, incarnation: "second" })).rejects.toMatchObject({
      reason: "BuildLost",
    });
    await expect(desk.appendArtefact({ ...head, build: 99 })).rejects.toMatchObject({ reason: "BuildLost" });
    const large = { ...head, bytes: 2 ** 21, chunk: new Uint8Array(1024 * 1024 + 1) };
    await expect(desk.appendArtefact(large)).rejects.toMatchObject({ reason: "maxPartBytes" });
    await expect(desk.appendArtefact({ ...head, bytes: 10_000_001 })).rejects.toMatchObject({
      reason: "maxArtefactBytes",
    });
    await expect(desk.appendArtefact({ ...head, offset: -1 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(desk.appendArtefact({ ...head, offset: 2 ** 40 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    for (const name of ["../../bots.key", "/etc/passwd", "a//b", "..", "\u001B[31m", ""]) {
      await expect(desk.appendArtefact({ ...head, name })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    expect(await house.artefacts.countParts(writer.build)).toBe(0);
    expect(await desk.appendArtefact(head)).toEqual({ size: 5 });
    await desk.finished({ ...writer, at: 1, results: "success", summary: "" });
    expect(await house.artefacts.countParts(writer.build)).toBe(0);
    await expect(desk.appendArtefact(head)).rejects.toMatchObject({ reason: "BuildLost" });
    expect(house.failures).toEqual([]);
  });

  test("of builds that were taken away go when others come", async () => {
    const head = { ...headOf(bytes), offset: 0, chunk: bytes.subarray(0, 5) };
    await desk.appendArtefact({ ...writer, ...head });
    await desk.hello({ incarnation: "second", about: {}, running: [] });
    const [order] = await desk.claim({ incarnation: "second", max: 1 });
    await desk.appendArtefact({ build: order?.build ?? 0, incarnation: "second", ...head });
    expect(await house.artefacts.countParts(writer.build)).toBe(0);
    expect(await house.artefacts.countParts(order?.build ?? 0)).toBe(1);
  });

  test("hello takes no build that it is still to hear of", async () => {
    const { build } = writer;
    const properties = { heard: "yes" };
    await desk.hello({ incarnation: "second", about: {}, running: [], kept: [{ build, incarnation: "first" }] });
    await desk.setProperties({ ...writer, properties });
    // It is as it says, or not at all.
    await desk.hello({ incarnation: "third", about: {}, running: [], kept: [{ build, incarnation: "other" }] });
    await expect(desk.setProperties({ ...writer, properties })).rejects.toMatchObject({ reason: "BuildLost" });
  });
});
