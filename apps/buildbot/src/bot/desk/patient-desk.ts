import { type CallOptions, type ClientOf, type Clock, createClient, RpcError, type StatusCode } from "@rpc/core";
import { gapOf } from "@rpc/core/transport";
import { Desk } from "../../contracts/bot.ts";
import type { Line } from "../line.ts";
import { sleep } from "../waiting.ts";

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 15_000;
/** A call that has not been answered for so long is made again. */
const ANSWER_MS = 60_000;

/** What no second try changes: the server has understood, and does not want it. */
const REFUSALS: ReadonlySet<StatusCode> = new Set([
  "INVALID_ARGUMENT",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "FAILED_PRECONDITION",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "DATA_LOSS",
]);

export interface PatientDeskOptions {
  readonly line: Line;
  readonly clock: Clock;
  readonly random: () => number;
  /** Ends all waiting. */
  readonly signal: AbortSignal;
  /** Hears what a call fails of, and that it is tried again. */
  readonly onTrouble: (message: string) => void;
  /** The server may have been started anew: a new session, or plain calls that are answered again. */
  readonly onBack: () => void;
}

/** What the bot says to the server, said again until it has been heard: every method of the Desk may be. */
export class PatientDesk {
  readonly #options: PatientDeskOptions;
  readonly #desk: ClientOf<typeof Desk>;
  readonly hasStreams: boolean;
  #heardAt = Number.NEGATIVE_INFINITY;
  /** Whether the last call was answered. */
  #isAnswered = false;
  readonly #stopListening: readonly (() => void)[];
  /** Those who wait for their next try. */
  readonly #waiting = new Set<() => void>();

  constructor(options: PatientDeskOptions) {
    const { transport, sessions } = options.line;
    this.#options = options;
    this.#desk = createClient(Desk, transport);
    this.hasStreams = gapOf(transport.capabilities.clientStream) === undefined;
    this.#stopListening = sessions.flatMap((session) => [
      session.on("connected", () => {
        this.#wake();
        options.onBack();
      }),
      session.on("resumed", () => this.#wake()),
    ]);
    options.signal.addEventListener("abort", () => this.#wake());
  }

  /** As far as is known. */
  get isThere(): boolean {
    const { sessions, hasPlainCalls } = this.#options.line;
    return sessions.some(({ connected }) => connected) || (hasPlainCalls && this.#isAnswered);
  }

  /** When the server has last answered what was asked, by the clock; −∞: it never has. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** It takes what is being sent, though its answer is far. */
  heard(): void {
    this.#heardAt = this.#options.clock.now();
  }

  /**
   * Calls until there is an answer. Rejects with what the server refuses, with its declared errors, and CANCELLED when the bot or `signal`
   * ends it. What `maxTries` have not brought rejects as well.
   */
  async ask<T>(
    what: string,
    call: (desk: ClientOf<typeof Desk>, options: CallOptions) => Promise<T>,
    { signal: given, maxTries = Number.POSITIVE_INFINITY, answerMs = ANSWER_MS, isStranger = false }: AskOptions = {},
  ): Promise<T> {
    const signal = given === undefined ? this.#options.signal : AbortSignal.any([given, this.#options.signal]);
    let pauseMs = FIRST_PAUSE_MS;
    for (let tries = 1; ; tries += 1) {
      if (signal.aborted) throw new RpcError("CANCELLED", `${what}: the bot ends`);
      try {
        const answer = await call(this.#desk, { signal, timeoutMs: answerMs });
        this.heard();
        this.#answered();
        return answer;
      } catch (caught) {
        const error = RpcError.from(caught);
        if (REFUSALS.has(error.code)) this.heard();
        else if (error.code !== "CANCELLED") this.#isAnswered = false;
        if (REFUSALS.has(error.code) || tries >= maxTries || (isStranger && error.code === "UNAUTHENTICATED"))
          throw error;
        // The first of them is mostly a connection that was lost, which comes back at once.
        if (tries === 2 || tries % 20 === 0) this.#options.onTrouble(`${what}: ${error.message}; trying again`);
      }
      await this.#pause(pauseMs * (0.5 + this.#options.random()), signal);
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
  }

  /** Until then, or the bot or `signal` ends it. */
  rest(ms: number, signal: AbortSignal): Promise<void> {
    return sleep(this.#options.clock, ms, AbortSignal.any([signal, this.#options.signal]));
  }

  close(): void {
    for (const stop of this.#stopListening) stop();
  }

  #answered(): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    // Sessions say it by themselves.
    if (this.#options.line.hasPlainCalls) this.#options.onBack();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const wake = (): void => woken.abort();
    this.#waiting.add(wake);
    await sleep(this.#options.clock, ms, AbortSignal.any([signal, woken.signal]));
    this.#waiting.delete(wake);
  }
}

export interface AskOptions {
  readonly signal?: AbortSignal;
  readonly maxTries?: number;
  readonly answerMs?: number;
  /** The server has never let this bot in: then a token that it refuses is wrong, not the database that it has been given. Default: false. */
  readonly isStranger?: boolean;
}
