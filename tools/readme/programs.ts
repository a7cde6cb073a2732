// Programs inside Markdown. What a reader may copy is compiled and run as it stands:
//
// * a `ts` block with an import starts a program, a `ts` block without one goes on with the program before it;
// * a `text` block under a program is what the program has printed so far, a second one what it prints after that.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";

/** A program that stands in a page. */
export interface Program {
  /** Page and line of its first block, such as `README.md:12`. */
  readonly place: string;
  readonly code: string;
  /** What the page says that it prints; undefined: the page says nothing, so it is compiled and not run. */
  readonly output: string | undefined;
}

interface Block {
  readonly language: string;
  readonly line: number;
  readonly text: string;
}

const LIMIT_MS = 30_000;

/** The programs of a page, in their order. */
export function programsOf(page: string): Program[] {
  const programs: { place: string; code: string; output: string | undefined }[] = [];
  const name = relative(process.cwd(), page).replaceAll("\\", "/");
  for (const { language, line, text } of blocksOf(page)) {
    const last = programs.at(-1);
    if (language === "ts" && (last === undefined || /^import\b/m.test(text))) {
      programs.push({ place: `${name}:${line}`, code: text, output: undefined });
    } else if (language === "ts" && last !== undefined) {
      last.code += `\n${text}`;
    } else if (language === "text" && last !== undefined) {
      last.output = `${last.output ?? ""}${text}`;
    }
  }
  return programs;
}

/** Blocks between fences, in a page of Markdown. */
export function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  let open: { language: string; line: number; lines: string[] } | undefined;
  for (const [i, line] of readFileSync(page, "utf8").split(/\r?\n/).entries()) {
    const fence = /^```(\w*)/.exec(line);
    if (fence !== null && open === undefined) open = { language: fence[1] ?? "", line: i + 2, lines: [] };
    else if (fence === null) open?.lines.push(line);
    else if (open !== undefined) {
      blocks.push({ language: open.language, line: open.line, text: open.lines.map((text) => `${text}\n`).join("") });
      open = undefined;
    }
  }
  return blocks;
}

/** Writes a program where the imports of `folder` hold and gives the path. */
export function writeProgram(program: Program, folder: string): string {
  const home = join(folder, ".results", "readme");
  mkdirSync(home, { recursive: true });
  const path = join(home, `${program.place.replaceAll(/[^\w]+/g, "-")}.ts`);
  writeFileSync(path, program.code);
  return path;
}

/** Runs a program to its end, with the packages that `folder` has, and gives what it printed. Throws when it fails. */
export function runProgram(program: Program, folder: string): string {
  const path = writeProgram(program, folder);
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [path], {
    encoding: "utf8",
    timeout: LIMIT_MS,
    // Node 22 says that stripping types is experimental; that is no part of what the program prints.
    env: { ...process.env, NODE_NO_WARNINGS: "1" },
  });
  if (error !== undefined || status !== 0) {
    throw new Error(`${program.place} failed: ${error?.message ?? `exit code ${String(status)}`}\n${stdout}${stderr}`);
  }
  return stdout;
}
