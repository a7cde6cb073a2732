import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RpcError } from "@rpc/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keepArtefacts } from "../src/bot/build/upload.ts";
import type { Delivery } from "../src/bot/desk/delivery.ts";
import type { AskOptions } from "../src/bot/desk/patient-desk.ts";

const MIB = 1024 * 1024;
let folder = "";
let root = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bot-upload-"));
  root = join(folder, "tree");
  mkdirSync(root);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function sized(name: string, bytes: number): Promise<void> {
  writeFileSync(join(root, name), "");
  await truncate(join(root, name), bytes);
}

/** Keeps them; `asked`: how long each may take, when all has been delivered. */
async function keep(...patterns: string[]): Promise<{ outcome: object; asked: Promise<(number | undefined)[]> }> {
  const asked: Promise<number | undefined>[] = [];
  const delivery = {
    writer: { build: 1, incarnation: "one" },
    hasStreams: true,
    run: (
      _what: string,
      tell: (ask: (what: string, call: unknown, options?: AskOptions) => unknown) => Promise<void>,
    ) => {
      let answerMs: number | undefined;
      const told = tell((_name, _call, options) => (answerMs = options?.answerMs));
      asked.push(told.then(() => answerMs));
    },
  } as unknown as Delivery;
  const outcome = await keepArtefacts({ root, patterns, spool: join(folder, "spool"), seq: 1, delivery });
  return { outcome, asked: Promise.all(asked) };
}

describe("artefacts", () => {
  it("that the server would not take are not copied, and the others are kept", async () => {
    await sized("large.bin", 1024 * MIB + 1);
    await sized("small.bin", 1);
    const { outcome, asked } = await keep("*.bin");
    expect(outcome).toEqual({ kept: 1, problem: "large.bin is larger than 1073741824 bytes" });
    await asked;
    expect(readdirSync(join(folder, "spool", "artefacts-1"))).toEqual([]);
  });

  it("whose names are no text are told of", async () => {
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff]), Buffer.from(".bin")]), "");
    expect((await keep("*.bin")).outcome).toEqual({ kept: 0, problem: "\uFFFD.bin cannot be read" });
  });

  it("have the time that a slow line needs for them", async () => {
    await sized("a.bin", 1);
    await sized("b.bin", 64 * MIB);
    const [small = 0, large = 0] = await (await keep("*.bin")).asked;
    expect(small).toBeGreaterThanOrEqual(30 * 60_000);
    // At a quarter of a megabit in a second.
    expect(large).toBeGreaterThan((64 * MIB * 8) / 250);
  });

  it("that the server has lost some of are sent again from their start", async () => {
    const bytes = 600 * 1024;
    writeFileSync(join(root, "a.bin"), "a".repeat(bytes));
    let there = 0;
    let losses = 1;
    let rests = 0;
    const appendArtefact = ({ offset, chunk }: { offset: number; chunk: Uint8Array }): { size: number } => {
      if (offset === 0 && losses === 1 && there === 0) there = 300 * 1024;
      else if (offset === there) there += chunk.length;
      if (there < bytes || losses === 0) return { size: there };
      losses -= 1;
      there = 0;
      throw new RpcError("DATA_LOSS", "another digest");
    };
    let told = Promise.resolve();
    const delivery = {
      writer: { build: 1, incarnation: "one" },
      hasStreams: false,
      rest: () => Promise.resolve(void (rests += 1)),
      run: (
        _what: string,
        tell: (ask: (what: string, call: (desk: object) => unknown) => unknown) => Promise<void>,
      ) => {
        told = tell((_name, call) => call({ appendArtefact }));
      },
    } as unknown as Delivery;
    await keepArtefacts({ root, patterns: ["*.bin"], spool: join(folder, "spool"), seq: 1, delivery });
    await told;
    expect([there, losses, rests]).toEqual([bytes, 0, 0]);
  });
});
