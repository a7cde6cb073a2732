import { stripVTControlCharacters } from "node:util";
import { Parser, type Result } from "tap-parser";
import { FoundTests, type Report } from "./found-tests.ts";

const LONGEST_LINE = 100_000;

/** Reads TAP out of a step's output while it comes; whatever else stands there is passed over. */
export class TapReader {
  readonly #found: FoundTests;
  readonly #parser: Parser;
  #rest = "";
  #fault: string | undefined;
  #bailedOut: string | undefined;
  /** The parser makes one up where there is none. */
  #hasPlan = false;

  constructor(found: FoundTests = new FoundTests()) {
    this.#found = found;
    this.#parser = new Parser(({ count, plan }) => {
      const { start, end } = plan;
      const planned = typeof start === "number" && typeof end === "number" ? Math.max(0, end - start + 1) : 0;
      if (this.#bailedOut !== undefined) this.#wrong("Bail out!", this.#bailedOut);
      else if (!this.#hasPlan) this.#fault = count === 0 ? "there is no TAP in its output" : "its TAP has no plan";
      else if (planned !== count) this.#wrong("plan", `planned were ${planned} tests, and ${count} came`);
    });
    this.#parser.on("bailout", (reason: unknown) => {
      this.#bailedOut = typeof reason === "string" ? reason : "";
    });
    this.#listen(this.#parser, []);
  }

  write(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = (lines.pop() ?? "").slice(0, LONGEST_LINE);
    for (const line of lines) this.#line(line);
  }

  end(): Report {
    if (this.#rest !== "") this.#line(this.#rest);
    this.#guard(() => this.#parser.end());
    return this.#found.report(this.#fault);
  }

  #line(line: string): void {
    const plain = stripVTControlCharacters(line.slice(0, LONGEST_LINE)).replace(/\r$/, "");
    this.#hasPlan ||= /^\d+\.\.\d+/.test(plain);
    this.#guard(() => this.#parser.write(`${plain}\n`));
  }

  #guard(run: () => unknown): void {
    if (this.#fault !== undefined) return;
    try {
      run();
    } catch (error) {
      this.#fault = `its TAP cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  /** Subtests are counted, and what sums them up is not, unless it alone has failed. */
  #listen(parser: Parser, path: readonly string[]): { readonly failed: () => number } {
    let failed = 0;
    let childFailed = (): number => 0;
    parser.on("child", (child: Parser) => {
      childFailed = this.#listen(child, [...path, child.name]).failed;
    });
    parser.on("assert", (result: Result) => {
      const isSum = result.closingTestPoint && (result.ok || childFailed() > 0);
      const state = result.skip !== false || result.todo !== false ? "skip" : result.ok ? "pass" : "fail";
      if (state === "fail") failed += 1;
      if (isSum) return;
      const { suite, message } = {
        suite: path.filter((name) => name !== "").join(" › "),
        message: messageOf(result.diag),
      };
      this.#found.add({
        suite,
        name: result.name,
        state,
        durationMs: result.time ?? durationOf(result.diag),
        ...(state === "fail" ? { message } : {}),
      });
    });
    return { failed: () => failed };
  }

  #wrong(name: string, message: string): void {
    this.#found.add({ suite: "", name, state: "error", message });
  }
}

function fieldOf(diag: unknown, name: string): unknown {
  return typeof diag === "object" && diag !== null && Object.hasOwn(diag, name) ? Reflect.get(diag, name) : undefined;
}

function durationOf(diag: unknown): unknown {
  return fieldOf(diag, "duration_ms");
}

function messageOf(diag: unknown): string | undefined {
  for (const name of ["error", "message"]) {
    const text = fieldOf(diag, name);
    if (typeof text === "string") return text;
  }
  if (diag === undefined || diag === null) return undefined;
  try {
    return JSON.stringify(diag, undefined, 1);
  } catch {
    // YAML knows numbers, and circles, that JSON does not.
    return undefined;
  }
}
