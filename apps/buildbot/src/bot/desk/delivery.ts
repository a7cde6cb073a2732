import { type CallOptions, type ClientOf, RpcError } from "@rpc/core";
import type { Desk } from "../../contracts/bot.ts";
import type { AskOptions, PatientDesk } from "./patient-desk.ts";

type Call = (desk: ClientOf<typeof Desk>, options: CallOptions) => Promise<unknown>;
type Ask = <T>(
  what: string,
  call: (desk: ClientOf<typeof Desk>, options: CallOptions) => Promise<T>,
  options?: Omit<AskOptions, "signal">,
) => Promise<T>;

export interface DeliveryOptions {
  readonly desk: PatientDesk;
  /** The build has been given to another, or is not known: nothing that is said of it counts any more. */
  readonly onLost: (why: string) => void;
}

/** What is to be told of one build, in order, however long the server is away. The build does not wait for it. */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #over = new AbortController();
  readonly #refused: string[] = [];
  #last: Promise<void> = Promise.resolve();

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  /** The server takes what is being sent, though its answer is far. */
  heard(): void {
    this.#options.desk.heard();
  }

  /** What the server has not taken, in words. */
  get refused(): readonly string[] {
    return this.#refused;
  }

  /** Tells it when all before it has been told. */
  post(what: string, call: Call): void {
    this.run(what, async (ask) => void (await ask(what, call)));
  }

  /** As `post`, of what takes several calls. */
  run(what: string, tell: (ask: Ask) => Promise<void>): void {
    this.#last = this.#last.then(() => this.#tell(what, tell));
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
      if (signal.aborted || error.code === "CANCELLED") return;
      if (error.reason === "BuildLost") {
        this.#over.abort();
        this.#options.onLost(lostBecause(error));
      } else {
        this.#refused.push(`${what}: ${error.message}`);
      }
    }
  }
}

function lostBecause(error: RpcError): string {
  const { details } = error;
  return typeof details === "object" && details !== null && "why" in details ? String(details.why) : error.message;
}
