import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { blocksOf } from "../../../tools/readme/programs.ts";
import { createProgram } from "../src/program.ts";

const HOME = join(import.meta.dirname, "..");
const PAGE = join(HOME, "README.md");
const page = readFileSync(PAGE, "utf8");
const [, script, output] = blocksOf(PAGE);
const folder = mkdtempSync(join(tmpdir(), "rpc-queue-readme-"));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** `rpc-queue` as it stands in the PATH of whoever has installed it. */
function pathWithCommand(): string {
  const bin = join(folder, "bin");
  mkdirSync(bin);
  const command = `#!/bin/sh\nexec "${process.execPath}" "${join(HOME, "bin", "rpc-queue.js")}" "$@"\n`;
  writeFileSync(join(bin, "rpc-queue"), command, { mode: 0o755 });
  return [bin, dirname(process.execPath), process.env["PATH"]].join(delimiter);
}

test("the README begins with a script of at most twelve lines that prints what it says", () => {
  expect(script?.text.trimEnd().split("\n").length).toBeLessThanOrEqual(12);
  const { stdout, stderr, status } = spawnSync("sh", ["-e", "-c", script?.text ?? ""], {
    cwd: folder,
    encoding: "utf8",
    env: { PATH: pathWithCommand() },
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  // Each migration of @rpc/db-queue has a number of its own.
  expect(stdout.replace(/version \d+, applied [\d, ]+/, "version 1, applied 1")).toBe(output?.text);
});

test("the README has every verb, and every option with its argument", () => {
  const program = createProgram();
  const all = [program, ...program.commands];
  const options = all.flatMap((command) => command.options.map(({ flags }) => flags.replace(/^-\w, /, "")));
  const verbs = program.commands.map((command) => command.name());
  expect(verbs.length).toBeGreaterThan(10);
  expect(verbs.filter((verb) => !new RegExp(`^\\|[^|]*\`${verb}\\b`, "m").test(page))).toEqual([]);
  expect(options.filter((flags) => !page.includes(`\`${flags}\``))).toEqual([]);
});
