import { RpcError } from "@rpc/core";
import type { BuildDetail, LogLines } from "../contracts/values.ts";
import { warn } from "./problems.ts";
import { logLine } from "./text.ts";
import type { Session } from "./verb.ts";

const WINDOW = 1000;
const AGAIN_MS = 1000;

/**
 * Prints a log as it grows, until the build (or the step) has ended or nobody reads. A server that goes away is waited for: it goes on with the
 * line after the last one that was printed.
 */
export async function followLog(session: Session, build: BuildDetail, only: number | undefined): Promise<void> {
  const printer = new Printer(session, build);
  let isTold = false;
  for (;;) {
    try {
      // From one step after the other: only so a stream that broke can go on in the middle of one.
      for (const seq of only === undefined ? stepsFrom(build, printer.step) : [only]) {
        await followStep(session, build, seq, printer);
        if (session.stopped.aborted) return;
      }
      return;
    } catch (thrown) {
      if (session.stopped.aborted) return;
      if (RpcError.from(thrown).code !== "UNAVAILABLE") throw thrown;
      if (!isTold) warn("the server is away; waiting for it");
      isTold = true;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

async function followStep(session: Session, build: BuildDetail, seq: number, printer: Printer): Promise<void> {
  const { builds, stopped } = session;
  printer.begin(seq);
  const stream = builds.follow({ build: build.id, step: seq, firstLine: printer.next }, { signal: stopped });
  for await (const window of stream) {
    printer.print(window);
    await session.output.drained();
    if (stopped.aborted) return;
  }
  printer.end();
}

/** What there is now. */
export async function printLog(session: Session, build: BuildDetail, only: number | undefined): Promise<void> {
  const printer = new Printer(session, build);
  for (const step of only === undefined ? stepsFrom(build, 0) : [only]) {
    printer.begin(step);
    for (;;) {
      const window = await session.builds.lines({ build: build.id, step, firstLine: printer.next, limit: WINDOW });
      printer.print(window);
      printer.end();
      await session.output.drained();
      if (session.stopped.aborted || window.lines.length === 0 || printer.next >= window.totalLines) break;
    }
  }
}

function stepsFrom(build: BuildDetail, first: number): number[] {
  return build.steps.map(({ seq }) => seq).filter((seq) => seq >= first);
}

/** Whether the last line is whole nobody knows before the next one comes: its end is written then. */
class Printer {
  readonly #session: Session;
  readonly #build: BuildDetail;
  #step = -1;
  #next = 0;
  /** The last line, as far as it is there: its end has not been written. */
  #open: { readonly at: number; readonly text: string } | undefined = undefined;

  constructor(session: Session, build: BuildDetail) {
    this.#session = session;
    this.#build = build;
  }

  get step(): number {
    return Math.max(0, this.#step);
  }

  /** The line to go on with. */
  get next(): number {
    return this.#open?.at ?? this.#next;
  }

  begin(step: number): void {
    if (step === this.#step) return;
    this.end();
    this.#step = step;
    this.#next = 0;
  }

  print({ firstLine, lines }: LogLines): void {
    const { output } = this.#session;
    lines.forEach(({ text, stream }, index) => {
      const at = firstLine + index;
      if (this.#open?.at === at) {
        const more = text.startsWith(this.#open.text) ? text.slice(this.#open.text.length) : `\n${text}`;
        if (more.startsWith("\n")) output.line("");
        output.write(logLine(more.replace(/^\n/, ""), output.isColoured));
      } else {
        if (at < this.#next) return;
        this.end();
        if (at === 0) this.#head();
        const line = logLine(text, output.isColoured);
        output.write(stream === "head" ? output.styled(line, "dim") : line);
      }
      this.#open = { at, text };
      this.#next = at + 1;
    });
  }

  end(): void {
    if (this.#open !== undefined) this.#session.output.line("");
    this.#open = undefined;
  }

  #head(): void {
    const name = this.#build.steps.find(({ seq }) => seq === this.#step)?.name ?? `${this.#step}`;
    const { output } = this.#session;
    output.line(output.styled(`--- ${logLine(name, false)}`, "bold"));
  }
}
