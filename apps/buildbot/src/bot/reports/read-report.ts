import { readFile, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import type { Step } from "../../contracts/values.ts";
import { FoundTests, type Report } from "./found-tests.ts";
import { filesBelow } from "./glob.ts";
import { readJunit } from "./junit.ts";
import { TapReader } from "./tap.ts";
import { readVitest } from "./vitest.ts";

const MOST_BYTES = 64 * 1024 * 1024;

export interface ReportReader {
  /** Takes what the step writes to its standard output, secrets hidden. */
  write(text: string): void;
  /** After the step has ended. Never rejects. */
  read(): Promise<Report>;
}

/** Reads what a step says of tests: out of the file `report` (a pattern; it may be many), or out of its output. Undefined: nothing. */
export function reportReader(
  step: Pick<Step, "tests" | "report">,
  root: string,
  changedSince: number,
): ReportReader | undefined {
  const { tests: kind, report } = step;
  if (kind === "none") return undefined;
  if (report !== undefined) return { write: () => undefined, read: () => readFiles(kind, root, report, changedSince) };
  if (kind === "tap") {
    const reader = new TapReader();
    return { write: (text) => reader.write(text), read: () => Promise.resolve(reader.end()) };
  }
  const parts: string[] = [];
  let size = 0;
  return {
    write: (text) => {
      size += text.length;
      if (size <= MOST_BYTES) parts.push(text);
    },
    read: () => Promise.resolve(readText(kind, parts.join(""), root, new FoundTests())),
  };
}

type Kind = "tap" | "junit" | "vitest";

async function readFiles(kind: Kind, root: string, pattern: string, changedSince: number): Promise<Report> {
  const found = new FoundTests();
  const problems: string[] = [];
  let read = 0;
  try {
    for (const name of await filesBelow(root, [pattern])) {
      const path = join(root, name);
      const { size, mtimeMs } = await stat(path);
      // Left there by the repository, or by a step before.
      if (mtimeMs < changedSince) continue;
      read += 1;
      if (size > MOST_BYTES) {
        problems.push(`${name} is larger than ${MOST_BYTES} bytes`);
        continue;
      }
      const { problem } = readText(kind, await readFile(path, "utf8"), root, found);
      if (problem !== undefined) problems.push(`${name}: ${problem}`);
    }
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  if (read === 0) problems.push(`the step has written no report ${pattern}`);
  return found.report(problems.length === 0 ? undefined : problems.slice(0, 5).join("; "));
}

function readText(kind: Kind, text: string, root: string, found: FoundTests): Report {
  if (kind === "junit") return readJunit(text, found);
  if (kind === "vitest") return readVitest(text, root, found);
  const reader = new TapReader(found);
  reader.write(text);
  return reader.end();
}

/** Where a path leads below a folder, links followed; undefined: there is nothing, or it leads elsewhere. */
export async function pathBelow(root: string, name: string): Promise<string | undefined> {
  try {
    const [base, path] = await Promise.all([realpath(root), realpath(join(root, name))]);
    return path === base || path.startsWith(base + sep) ? path : undefined;
  } catch {
    return undefined;
  }
}
