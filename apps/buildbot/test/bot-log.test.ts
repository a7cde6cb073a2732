import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LogPump } from "../src/bot/log/log-pump.ts";
import type { LogPiece } from "../src/bot/log/log-spool.ts";
import { secretMask } from "../src/bot/log/secret-mask.ts";
import { TestClock } from "./test-clock.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bot-log-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Small and fast, and the same for the same seed. */
function chance(seed: number) {
  let state = seed;
  const next = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 4_294_967_296) * below);
  };
  return { next, pick: <T>(list: readonly T[]): T => list[next(list.length)] as T };
}

/** A log as a server keeps it: it skips what it has, refuses gaps, and may lose its end. */
class Shelf {
  pieces: LogPiece[] = [];
  get bytes(): Buffer {
    return Buffer.from(this.pieces.map(({ text }) => text).join(""));
  }
  append(offset: number, pieces: readonly LogPiece[]): number {
    if (offset === this.bytes.length) {
      for (const piece of pieces) {
        if (piece.text !== "") this.pieces.push(piece);
        if (piece.text.includes("\u{DFFF}") || !piece.text.isWellFormed()) throw new Error("half a character");
      }
    }
    return this.bytes.length;
  }
  of(stream: string): string {
    return this.pieces
      .filter((piece) => piece.stream === stream)
      .map(({ text }) => text)
      .join("");
  }
}

const SECRETS = ["hunter2", "hunt", "ünïcödé", "😀key", "ab\ncdefghij\nk", "aab"];
const WORDS = [
  "hunter2",
  "hunte",
  "hunt",
  "h",
  "ünïcödé",
  "ünï",
  "😀",
  "😀key",
  "🎉",
  "aaab",
  "aab",
  "a",
  "cdefghij",
  "\n",
  "ab\ncdefghij\nk",
  "\u001B[31mred\u001B[0m",
  "日本語",
  "\0",
  "\uFEFF",
  "plain text of some length ",
];

describe("secret mask", () => {
  it("hides the longest of those that begin at one place, and lines of a secret of many lines", () => {
    const { mask } = secretMask(SECRETS);
    expect(mask("a hunter2, a hunter and aaab")).toBe("a *****, a *****er and a*****");
    expect(mask("cdefghij k")).toBe("***** k");
    expect(secretMask(["", "  "]).mask("a  b")).toBe("a*****b");
    expect(secretMask(["(.*)+$"]).mask("x(.*)+$")).toBe("x*****");
  });

  it("gives of pieces what it gives of the whole", () => {
    for (let seed = 1; seed <= 500; seed += 1) {
      const { next, pick } = chance(seed);
      const mask = secretMask(SECRETS);
      const stream = mask.stream();
      const text = Array.from({ length: next(12) }, () => pick(WORDS)).join("");
      let told = "";
      for (let at = 0; at < text.length;) {
        const to = at + 1 + next(5);
        told += stream.push(text.slice(at, to));
        at = to;
      }
      expect(told + stream.end(), `seed ${seed}`).toBe(mask.mask(text));
    }
  });
});

describe("log pump", () => {
  it("brings any bytes, in any pieces, over any cuts: whole, in order and masked", async () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const { next, pick } = chance(seed);
      const mask = secretMask(SECRETS);
      const clock = new TestClock();
      const pump = new LogPump({ path: join(folder, `${seed}.log`), mask, clock });
      const shelf = new Shelf();
      const given = { out: Buffer.alloc(0), err: Buffer.alloc(0) };
      const cut = new Error("cut");
      const deliver = async (): Promise<boolean> => {
        for (;;) {
          try {
            return await pump.deliver((offset, pieces) => {
              const fate = next(10);
              if (fate === 0) return Promise.reject(cut); // It never arrived.
              const size = shelf.append(offset, pieces);
              if (fate === 1) return Promise.reject(cut); // It did, but nobody knows.
              if (fate === 2 && shelf.pieces.length > 0) {
                shelf.pieces.pop(); // A server that was not on the disk yet.
                return Promise.resolve(shelf.bytes.length);
              }
              return Promise.resolve(size);
            });
          } catch (error) {
            if (error !== cut) throw error;
          }
        }
      };
      const delivered = deliver();
      for (let count = 0; count < 40; count += 1) {
        const stream = pick(["out", "err"] as const);
        const bytes =
          next(8) === 0
            ? Buffer.from(Array.from({ length: next(9) }, () => next(256)))
            : Buffer.from(Array.from({ length: 1 + next(30) ** 2 }, () => pick(WORDS)).join(""));
        for (let at = 0; at < bytes.length;) {
          const to = at + 1 + next(next(3) === 0 ? 3 : 5_000);
          const part = bytes.subarray(at, to);
          given[stream] = Buffer.concat([given[stream], part]);
          await pump.write(stream, part);
          at = to;
        }
        if (next(3) === 0) clock.advance(next(400));
        if (next(4) === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      pump.end();
      const ticking = setInterval(() => clock.advance(1_000), 1);
      expect(await delivered, `seed ${seed}`).toBe(true);
      clearInterval(ticking);
      await pump.close();
      const decode = (bytes: Buffer) => mask.mask(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes));
      expect(shelf.of("out"), `seed ${seed}`).toBe(decode(given.out));
      expect(shelf.of("err"), `seed ${seed}`).toBe(decode(given.err));
      expect(shelf.bytes.length).toBe(pump.size);
    }
  });

  it("sends after 100 ms, or at once when 16 KiB have come", async () => {
    const clock = new TestClock();
    const pump = new LogPump({ path: join(folder, "log"), mask: secretMask([]), clock });
    const shelf = new Shelf();
    const delivered = pump.deliver((offset, pieces) => Promise.resolve(shelf.append(offset, pieces)));
    void pump.write("out", Buffer.from("one line\n"));
    await settle();
    clock.advance(99);
    await settle();
    expect(shelf.of("out")).toBe("");
    clock.advance(1);
    await until(() => shelf.of("out") === "one line\n");
    void pump.write("out", Buffer.alloc(16 * 1024, "x"));
    await until(() => shelf.bytes.length === 9 + 16 * 1024);
    pump.end();
    expect(await delivered).toBe(true);
    await pump.close();
  });

  it("lets the step wait when more waits for the server than it may", async () => {
    const clock = new TestClock();
    const pump = new LogPump({ path: join(folder, "log"), mask: secretMask([]), clock, maxUnsentBytes: 1_000 });
    expect(pump.write("out", Buffer.alloc(1_000, "x"))).toBeUndefined();
    let isFree = false;
    const wait = pump.write("out", Buffer.alloc(1, "x"))?.then(() => {
      isFree = true;
    });
    await settle();
    expect(isFree).toBe(false);
    const shelf = new Shelf();
    pump.end();
    await pump.deliver((offset, pieces) => Promise.resolve(shelf.append(offset, pieces)));
    await wait;
    expect(shelf.bytes.length).toBe(1_001);
    await pump.close();
  });

  it("gives up on a server that never takes anything, and says when the disk takes nothing", async () => {
    const clock = new TestClock();
    const pump = new LogPump({ path: join(folder, "log"), mask: secretMask([]), clock });
    pump.head("$ true");
    pump.end();
    let calls = 0;
    const ticking = setInterval(() => clock.advance(1_000), 1);
    expect(await pump.deliver(() => Promise.resolve(((calls += 1), 0)))).toBe(false);
    clearInterval(ticking);
    expect(calls).toBe(20);
    await pump.close();

    let failure: Error | undefined;
    const lost = new LogPump({
      path: join(folder, "no", "such", "folder"),
      mask: secretMask([]),
      clock,
      onFailure: (error) => {
        failure = error;
      },
    });
    lost.head("$ true");
    await settle();
    lost.end();
    expect(await lost.deliver(() => Promise.resolve(0))).toBe(false);
    expect(failure?.message).toContain("ENOENT");
    await lost.close();
  });
});

async function settle(): Promise<void> {
  await new Promise((resolve) => void setTimeout(resolve, 20));
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => void setTimeout(resolve, 2));
}
