import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type LogPiece, Logs } from "../src/server/logs/index.ts";
import { STREAMS } from "../src/server/logs/log-index.ts";
import { randomOf } from "./random.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "buildbot-logs-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const openLogs = (): Logs => new Logs({ folder });
const out = (text: string): LogPiece => ({ stream: "out", text });
const err = (text: string): LogPiece => ({ stream: "err", text });

/** By this process since its start; where nobody counts them, always 0. */
function bytesRead(): number {
  if (!existsSync("/proc/self/io")) return 0;
  return Number(/^rchar: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1]);
}

/** What a log of these pieces shows: each line is one stream's. */
function linesOf(pieces: readonly LogPiece[]): { text: string; stream: string }[] {
  const lines: { text: string; stream: string }[] = [];
  let isAtStart = true;
  let last: string | undefined;
  for (const { stream, text } of pieces) {
    for (const part of text.split(/(?<=\n)/).filter((each) => each !== "")) {
      const line = lines.at(-1);
      if (isAtStart || line === undefined || stream !== last) lines.push({ text: part, stream });
      else line.text += part;
      isAtStart = part.endsWith("\n");
      last = stream;
    }
  }
  return lines.map(({ text, stream }) => ({ text: text.replace(/\r?\n$/, "").replace(/\r$/, ""), stream }));
}

describe("a log", () => {
  test("gives its lines, whose stream each is, and how many there are", async () => {
    const logs = openLogs();
    expect(await logs.append(1, 0, 0, [out("one\ntw"), out("o\r\n"), err("oh\n"), out("three")])).toEqual({
      bytes: 17,
      lines: 4,
    });
    expect(await logs.lines(1, 0, 0, 10)).toEqual({
      firstLine: 0,
      lines: [
        { text: "one", stream: "out" },
        { text: "two", stream: "out" },
        { text: "oh", stream: "err" },
        { text: "three", stream: "out" },
      ],
      totalLines: 4,
      next: 3,
    });
    expect((await logs.lines(1, 0, 2, 1)).lines).toEqual([{ text: "oh", stream: "err" }]);
    expect(await logs.lines(1, 0, 9, 1)).toEqual({ firstLine: 9, lines: [], totalLines: 4, next: 9 });
    expect(await logs.lines(1, 1, 0, 1)).toEqual({ firstLine: 0, lines: [], totalLines: 0, next: 0 });
    expect(readFileSync(logs.path(1, 0), "utf8")).toBe("one\ntwo\r\noh\nthree");
    await logs.close();
  });

  test("adds nothing that it has, and nothing behind a gap", async () => {
    const logs = openLogs();
    expect(await logs.append(1, 0, 0, [out("äöü\n")])).toEqual({ bytes: 7, lines: 1 });
    expect(await logs.append(1, 0, 0, [out("äöü\n")])).toEqual({ bytes: 7, lines: 1 });
    expect(await logs.append(1, 0, 4, [out("ü\nnext")])).toEqual({ bytes: 11, lines: 2 });
    expect(await logs.append(1, 0, 12, [out("gap")])).toEqual({ bytes: 11, lines: 2 });
    expect(await logs.append(1, 0, Number.MAX_SAFE_INTEGER, [out("gap")])).toEqual({ bytes: 11, lines: 2 });
    expect(readFileSync(logs.path(1, 0), "utf8")).toBe("äöü\nnext");
    await logs.close();
  });

  test("grows no larger than it may", async () => {
    const logs = new Logs({ folder, maxLogBytes: 10 });
    await logs.append(1, 0, 0, [out("12345678")]);
    await expect(logs.append(1, 0, 8, [out("901")])).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "maxLogBytes",
    });
    expect(await logs.append(1, 0, 8, [out("90")])).toEqual({ bytes: 10, lines: 1 });
    // Sent again, it is there.
    expect(await logs.append(1, 0, 0, [out("1234567890")])).toEqual({ bytes: 10, lines: 1 });
    await logs.close();
  });

  test("goes on after a crash with what is whole", async () => {
    let logs = openLogs();
    await logs.append(1, 0, 0, [out("one\n"), err("two\n")]);
    await logs.close();
    const path = logs.path(1, 0);
    rmSync(`${path}.idx`);
    logs = openLogs();
    // Without an index nothing is known: it is sent again from its beginning.
    expect(await logs.size(1, 0)).toEqual({ bytes: 0, lines: 0 });
    expect(await logs.append(1, 0, 0, [out("one\n"), err("two ü\n")])).toEqual({ bytes: 11, lines: 2 });
    await logs.close();
    // The index knows more than the text has, and the text ends in the middle of a character.
    const beyond = Buffer.alloc(16);
    beyond.writeDoubleLE(999);
    appendFileSync(`${path}.idx`, Buffer.concat([beyond, Buffer.from([1, 2, 3])]));
    truncateSync(path, 9);
    logs = openLogs();
    expect(await logs.append(1, 0, 11, [err("behind\n")])).toEqual({ bytes: 8, lines: 2 });
    expect(await logs.append(1, 0, 8, [err("ü\n"), out("three\n")])).toEqual({ bytes: 17, lines: 3 });
    expect((await logs.lines(1, 0, 0, 9)).lines).toEqual(linesOf([out("one\n"), err("two ü\n"), out("three\n")]));
    expect(statSync(`${path}.idx`).size).toBe(3 * 16);
    await logs.close();
  });

  test("is what was sent, however answers are lost and pieces come again, cut otherwise", async () => {
    const chars = ["a", "b", " ", "\n", "\n", "\r\n", "ü", "€", "👍", ""];
    for (let seed = 1; seed <= 60; seed += 1) {
      const random = randomOf(seed);
      const upTo = (most: number): number => Math.floor(random() * (most + 1));
      const streams = Array.from({ length: upTo(8) }, () => STREAMS[upTo(2)] ?? "out");
      // Characters one by one, as a bot may cut them.
      const all = streams.flatMap((stream) =>
        Array.from({ length: upTo(20) }, () => ({ stream, text: chars[upTo(chars.length - 1)] ?? "" })),
      );
      const offsets = [0];
      for (const { text } of all) offsets.push((offsets.at(-1) ?? 0) + Buffer.byteLength(text));
      let logs = openLogs();
      let believed = 0;
      for (let step = 0; believed < all.length || step < 10; step += 1) {
        const from = Math.max(0, believed - upTo(10));
        const { bytes } = await logs.append(seed, 0, offsets[from] ?? 0, all.slice(from, from + upTo(20)));
        const wasLost = random() < 0.3;
        if (!wasLost) believed = offsets.lastIndexOf(bytes);
        if (random() < 0.2) {
          await logs.close();
          logs = openLogs();
        }
      }
      const lines = linesOf(all);
      expect((await logs.lines(seed, 0, 0, 1000)).lines, `seed ${seed}`).toEqual(lines);
      for (let at = 0; at <= lines.length; at += 1) {
        expect((await logs.lines(seed, 0, at, 2)).lines, `seed ${seed}`).toEqual(lines.slice(at, at + 2));
      }
      await logs.close();
    }
  });

  test("keeps its order when many write at the same time", async () => {
    const logs = openLogs();
    await Promise.all(
      Array.from({ length: 200 }, (_, build) => logs.append(build + 1, build % 3, 0, [out(`build ${build}\n`)])),
    );
    await Promise.all(Array.from({ length: 50 }, () => logs.append(1, 0, 8, [out("once\n")])));
    expect((await logs.lines(1, 0, 0, 10)).lines.map(({ text }) => text)).toEqual(["build 0", "once"]);
    expect((await logs.lines(200, 199 % 3, 0, 10)).lines.map(({ text }) => text)).toEqual(["build 199"]);
    await logs.close();
  });

  test("finds text in any letter case, under colours", async () => {
    const logs = openLogs();
    await logs.append(1, 0, 0, [out("a\nFAI\u001B[31mLED\u001B[0m one\nb\nfailed two\nfailed three\n")]);
    expect(await logs.search(1, 0, "Failed", 2)).toEqual([
      { line: 1, text: "FAI\u001B[31mLED\u001B[0m one" },
      { line: 3, text: "failed two" },
    ]);
    expect(await logs.search(1, 7, "x", 2)).toEqual([]);
    await logs.close();
  });

  test("shows the beginning of a line without end, and what comes after it", async () => {
    const logs = openLogs();
    const long = "x".repeat(1_000_000);
    let offset = 0;
    for (let at = 0; at < 8; at += 1) ({ bytes: offset } = await logs.append(1, 0, offset, [out(long)]));
    await logs.append(1, 0, offset, [err("after\n"), out("last")]);
    const { lines } = await logs.lines(1, 0, 0, 10);
    expect(lines.map(({ text, stream }) => [stream, text.length < 100 ? text : text.slice(-20)])).toEqual([
      ["out", "x … (8000000 bytes)".padStart(20, "x")],
      ["err", "after"],
      ["out", "last"],
    ]);
    expect((await logs.lines(1, 0, 1, 1)).lines[0]?.text).toBe("after");
    await logs.close();
  });
});

describe("a log of 200 MB", () => {
  test("is read at any place without being read whole", async () => {
    const logs = openLogs();
    const chunk = Array.from({ length: 2500 }, (_, at) => `${String(at).padStart(4, "0")} ${"=".repeat(74)}\n`).join(
      "",
    );
    let offset = 0;
    for (let at = 0; at < 1000; at += 1) {
      ({ bytes: offset } = await logs.append(1, 0, offset, [{ stream: at % 2 === 0 ? "out" : "err", text: chunk }]));
    }
    expect(offset).toBe(200_000_000);
    const before = process.memoryUsage();
    const readBefore = bytesRead();
    for (const line of [0, 2_499_999, 1_250_000, 777_777, 2_000_001, 1]) {
      const { lines, totalLines } = await logs.lines(1, 0, line, 1000);
      expect(totalLines).toBe(2_500_000);
      expect(lines[0]?.text.slice(0, 4)).toBe(String(line % 2500).padStart(4, "0"));
      expect(lines[0]?.stream).toBe(Math.floor(line / 2500) % 2 === 0 ? "out" : "err");
      expect(lines).toHaveLength(Math.min(1000, 2_500_000 - line));
    }
    // Of each window little more than itself.
    expect(bytesRead() - readBefore).toBeLessThan(4_000_000);
    let turns = 0;
    const turn = (): void => {
      turns += 1;
      next = setImmediate(turn);
    };
    let next = setImmediate(turn);
    expect(await logs.search(1, 0, "2499 ===", 2000)).toHaveLength(1000);
    clearImmediate(next);
    // Who asks for something else meanwhile is answered: the loop turns at each block.
    expect(turns).toBeGreaterThan(1000);
    // Read whole, its lines alone would be more; what is not collected yet counts as well.
    expect(process.memoryUsage().rss - before.rss).toBeLessThan(200_000_000);
    await logs.close();
    // Known anew from the end of its files alone.
    expect(await openLogs().size(1, 0)).toEqual({ bytes: 200_000_000, lines: 2_500_000 });
  }, 120_000);
});
