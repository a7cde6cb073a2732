import type { TestResult } from "../../contracts/values.ts";

export type FoundTest = Omit<TestResult, "step">;

export interface Report {
  readonly tests: readonly FoundTest[];
  /** Why there may be more than these, in words. */
  readonly problem?: string;
}

/** What one report may say; more is dropped, and told. */
const MOST_TESTS = 100_000;
const MOST_NAME = 500;
const MOST_MESSAGE = 4_000;

/** Gathers results within bounds. */
export class FoundTests {
  readonly #tests: FoundTest[] = [];
  #dropped = 0;

  get count(): number {
    return this.#tests.length;
  }

  add(test: {
    readonly suite: string;
    readonly name: string;
    readonly state: FoundTest["state"];
    readonly durationMs?: unknown;
    readonly message?: unknown;
  }): void {
    if (this.#tests.length === MOST_TESTS) {
      this.#dropped += 1;
      return;
    }
    const { durationMs, message, state } = test;
    this.#tests.push({
      suite: shortened(test.suite, MOST_NAME),
      name: shortened(test.name, MOST_NAME),
      state,
      ...(typeof durationMs === "number" && Number.isFinite(durationMs) && durationMs >= 0 ? { durationMs } : {}),
      ...(typeof message === "string" && message !== "" ? { message: shortened(message, MOST_MESSAGE) } : {}),
    });
  }

  report(problem?: string): Report {
    const lost = this.#dropped > 0 ? `${this.#dropped} results beyond ${MOST_TESTS} are left out` : undefined;
    const told = [problem, lost].filter((text) => text !== undefined).join("; ");
    return { tests: this.#tests, ...(told === "" ? {} : { problem: told }) };
  }
}

function shortened(text: string, most: number): string {
  const whole = text.toWellFormed();
  return whole.length <= most ? whole : `${whole.slice(0, most - 1).toWellFormed()}…`;
}
