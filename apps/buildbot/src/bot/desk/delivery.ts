import { type CallOptions, type ClientOf, RpcError } from "@rpc/core";
import type { Desk, Told, Writer } from "../../contracts/bot.ts";
import type { Results } from "../../contracts/values.ts";
import { cut } from "../../cut.ts";
import type { Entry } from "./journal.ts";
import type { AskOptions, PatientDesk } from "./patient-desk.ts";

export type Ask = <T>(
  what: string,
  call: (desk: ClientOf<typeof Desk>, options: CallOptions) => Promise<T>,
  options?: Omit<AskOptions, "signal">,
) => Promise<T>;

export interface DeliveryOptions {
  readonly desk: PatientDesk;
  readonly writer: Writer;
  /** The build has been given to another, or is not known: nothing that is said of it counts any more. */
  readonly onLost: (why: string) => void;
  /** Keeps what is to be told, for whoever comes after this process. Left out: it is kept already. */
  readonly keep?: ((entry: Entry) => void) | undefined;
  /** Hides secrets. */
  readonly mask?: ((text: string) => string) | undefined;
}

const SUMMARY_CHARS = 1000;

/** What is to be told of one build, in order, however long the server is away. The build does not wait for it. */
export class Delivery {
  readonly writer: Writer;
  readonly #options: DeliveryOptions;
  readonly #over = new AbortController();
  readonly #refused: string[] = [];
  #isCut = false;
  #last: Promise<void> = Promise.resolve();

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.writer = options.writer;
  }

  /** The server takes what is being sent, though its answer is far. */
  heard(): void {
    this.#options.desk.heard();
  }

  /** Or until it is cut or dropped. */
  rest(ms: number): Promise<void> {
    return this.#options.desk.rest(ms, this.#over.signal);
  }

  /** What the wire carries beside calls. */
  get hasStreams(): boolean {
    return this.#options.desk.hasStreams;
  }

  /** What the server has not taken, in words. */
  get refused(): readonly string[] {
    return this.#refused;
  }

  /** The bot has ended before all was told. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Tells it when all before it has been told. */
  post(what: string, told: Told): void {
    this.run(what, async (ask) => void (await ask(what, (desk, call) => say(desk, told, call))), { what, told });
  }

  /** As `post`, of what takes several calls; `entry`: how it is kept. */
  run(what: string, tell: (ask: Ask) => Promise<void>, entry?: Entry): void {
    if (entry !== undefined) this.#options.keep?.(entry);
    this.#last = this.#last.then(() => this.#tell(what, tell));
  }

  /** What an earlier process was told already. */
  wasRefused(what: string): void {
    if (!this.#refused.includes(what)) this.#refused.push(what);
  }

  /** The last of it. What was refused makes less of a success. */
  end(
    end: { readonly at: number; readonly results: Results; readonly summary: string },
    told: (refused: readonly string[]) => void,
  ): void {
    this.run("the end", async (ask) => {
      const refused = this.#refused;
      const { at, results } = end;
      const isLess = refused.length > 0 && results === "success";
      const both = [end.summary, ...(refused.length === 0 ? [] : [`not delivered: ${refused.join("; ")}`])];
      const summary = cut(both.filter((text) => text !== "").join("; "), SUMMARY_CHARS);
      const last = { ...this.writer, at, summary, results: isLess ? ("warnings" as const) : results };
      await ask("the end", (desk, call) => desk.finished(last, call));
      told(refused);
    });
  }

  /** When all has been told that was posted until now, or cannot be. Never rejects. */
  async done(): Promise<void> {
    await this.#last;
  }

  /** Tells nothing more. */
  drop(): void {
    this.#over.abort();
  }

  async #tell(what: string, tell: (ask: Ask) => Promise<void>): Promise<void> {
    const { signal } = this.#over;
    if (signal.aborted) return;
    try {
      await tell((name, call, more) => this.#options.desk.ask(name, call, { ...more, signal }));
    } catch (caught) {
      const error = RpcError.from(caught);
      if (signal.aborted) return;
      if (isEndOfBot(error)) {
        this.#isCut = true;
      } else if (error.reason === "BuildLost") {
        this.#over.abort();
        this.#options.onLost(lostBecause(error));
      } else {
        const { keep, mask = (text: string) => text } = this.#options;
        const refused = mask(`${what}: ${error.message}`);
        this.wasRefused(refused);
        keep?.({ refused });
      }
    }
  }
}

/** It was not refused: nobody was left to say it. */
export function isEndOfBot(error: unknown): boolean {
  return RpcError.from(error).code === "CANCELLED";
}

function say(desk: ClientOf<typeof Desk>, told: Told, options: CallOptions): Promise<unknown> {
  switch (told.method) {
    case "began":
      return desk.began(told.input, options);
    case "stepBegan":
      return desk.stepBegan(told.input, options);
    case "stepEnded":
      return desk.stepEnded(told.input, options);
    case "addTests":
      return desk.addTests(told.input, options);
    case "setProperties":
      return desk.setProperties(told.input, options);
    default:
      return told satisfies never;
  }
}

function lostBecause(error: RpcError): string {
  const { details } = error;
  return typeof details === "object" && details !== null && "why" in details ? String(details.why) : error.message;
}
