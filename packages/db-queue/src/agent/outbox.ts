import { RpcError } from "@rpc/core";
import { Backoff } from "@rpc/core/transport";
import { failureOf } from "../command/failure.ts";
import type { Answer, EventBatch, Settled } from "../store/store-words.ts";
import { lateAnswerError, unstoredError } from "./agent-errors.ts";
import type { AgentSettings } from "./agent-options.ts";
import type { HeldCommand } from "./held-command.ts";
import { RetryPause } from "../retry-pause.ts";
import { GivenUp } from "./given-up.ts";
import { answeredWithin } from "./pauses.ts";
import { writeParts } from "./spill-parts.ts";

/** How long what a handler says waits for more. */
const EVENTS_MS = 250;
/** Between a failure and the next try that a wake-up asks for. */
const LEAST_RETRY_MS = 1000;
/** Answers of one transaction. */
const MAX_ANSWERS = 1000;

export interface OutboxOwner {
  /** Calls `flush` soon: what comes meanwhile goes along. */
  schedule(): void;
  /** Its row has the answer, or will not take any. */
  over(command: HeldCommand): void;
  /** The row belongs to somebody else. */
  lost(command: HeldCommand, error: RpcError): void;
}

/**
 * What goes into rows: the answers of a turn in one transaction, what handlers say in batches, and always before their answers. While the
 * database is away it is kept and tried again.
 */
export class Outbox {
  readonly givenUp: GivenUp;
  readonly #settings: AgentSettings;
  readonly #owner: OutboxOwner;
  readonly #backoff: Backoff;
  readonly #answered = new Set<HeldCommand>();
  readonly #eventful = new Set<HeldCommand>();
  #eventsAreDue = false;
  #eventTimer: unknown = undefined;
  readonly #pause: RetryPause;
  #isSending = false;
  #isClosed = false;
  /** Told after each round, and whether it went well. */
  #onRound: ((isDone: boolean) => void) | undefined = undefined;

  constructor(settings: AgentSettings, owner: OutboxOwner) {
    this.givenUp = new GivenUp(settings.store);
    this.#settings = settings;
    this.#owner = owner;
    this.#backoff = new Backoff({ minMs: 1000, maxMs: 30_000 }, settings.random);
    this.#pause = new RetryPause(settings.clock, LEAST_RETRY_MS, () => owner.schedule());
  }

  /** Answers that no row has yet. */
  get size(): number {
    return this.#answered.size;
  }

  answer(command: HeldCommand): void {
    this.#answered.add(command);
    this.#owner.schedule();
  }

  eventful(command: HeldCommand): void {
    this.#eventful.add(command);
    if (command.events?.isFull === true) this.#owner.schedule();
    // The first word after a silence goes at once, what follows is gathered.
    else if (this.#eventTimer === undefined) this.#sendEvents();
  }

  /** Nothing more is to be said about it. */
  forget(command: HeldCommand): void {
    this.#answered.delete(command);
    this.#eventful.delete(command);
    command.events?.clear();
  }

  /** There was a wake-up: the database may be back. */
  hurry(): void {
    this.#pause.hurry();
  }

  flush(): void {
    if (this.#isSending || this.#isClosed || this.#pause.isOn || !this.#hasWork()) return;
    this.#isSending = true;
    this.#round().then(
      () => this.#roundDone(),
      (thrown: unknown) => this.#roundFailed(RpcError.from(thrown)),
    );
  }

  /** Sends what is there without waiting for a pause to end. Settles when nothing is left, or after the first try that fails. */
  async flushNow(): Promise<void> {
    this.#pause.end();
    for (;;) {
      if (this.#isClosed || (!this.#isSending && !this.#hasWork())) return;
      const isDone = await new Promise<boolean>((resolve) => {
        this.#onRound = resolve;
        this.flush();
      });
      if (!isDone) return;
    }
  }

  /** What is still there is given up. */
  close(): void {
    this.#isClosed = true;
    this.#pause.end();
    this.#settings.clock.clearTimeout(this.#eventTimer);
    this.#eventTimer = undefined;
    this.#onRound?.(false);
    for (const { claim, verdict } of this.#answered) {
      const message = `command ${claim.id} (${claim.method}): its answer (${verdict?.outcome}) could not be stored before the agent was closed`;
      this.#settings.onError(new RpcError("UNAVAILABLE", message, { reason: "CLOSED" }));
    }
    this.#answered.clear();
    this.#eventful.clear();
  }

  #eventsDue(): void {
    this.#eventTimer = undefined;
    if (this.#eventful.size > 0 && !this.#isClosed) this.#sendEvents();
  }

  #sendEvents(): void {
    this.#eventsAreDue = true;
    this.#owner.schedule();
    this.#eventTimer = this.#settings.clock.setTimeout(() => this.#eventsDue(), EVENTS_MS);
  }

  #hasWork(): boolean {
    if (this.#answered.size > 0) return true;
    if (this.#eventful.size === 0) return false;
    if (this.#eventsAreDue) return true;
    for (const { events } of this.#eventful) if (events?.isFull === true) return true;
    return false;
  }

  async #round(): Promise<void> {
    const speaking = this.#speaking();
    if (speaking.length > 0) await this.#append(speaking);
    const answering: HeldCommand[] = [];
    for (const command of this.#answered) {
      if (command.hasEvents) continue;
      answering.push(command);
      if (answering.length === MAX_ANSWERS) break;
    }
    const isAnySpilled = answering.some(({ spill }) => spill !== undefined);
    const settled = isAnySpilled ? await this.#spill(answering) : answering;
    if (settled.length > 0) await this.#settle(settled);
  }

  /** What is too large for its row goes before it. Gives those that are still to be answered. */
  async #spill(commands: readonly HeldCommand[]): Promise<readonly HeldCommand[]> {
    for (const command of commands) {
      if (command.spill === undefined) continue;
      const error = await writeParts((batches) => this.#asked(this.#settings.store.appendEvents(batches)), command);
      if (error?.retryable === true) throw error;
      command.spill = undefined;
      if (error?.reason === "LEASE_LOST") this.#refused(command, error);
      else if (error !== undefined) this.#replaceAnswer(command, error);
    }
    return commands.filter((command) => this.#answered.has(command));
  }

  #roundDone(): void {
    this.#isSending = false;
    this.#backoff.reset();
    this.#roundOver(true);
    if (this.#hasWork()) this.#owner.schedule();
  }

  #roundFailed(error: RpcError): void {
    this.#isSending = false;
    if (this.#isClosed) return;
    this.#settings.onError(unstoredError(`${this.#answered.size} answers wait for the database`, error));
    this.#pause.begin(this.#backoff.nextMs());
    this.#roundOver(false);
  }

  #roundOver(isDone: boolean): void {
    const tell = this.#onRound;
    this.#onRound = undefined;
    tell?.(isDone);
  }

  /** Whose events go now. */
  #speaking(): readonly HeldCommand[] {
    const all = this.#eventsAreDue;
    this.#eventsAreDue = false;
    const speaking: HeldCommand[] = [];
    for (const command of this.#eventful) {
      if (!command.hasEvents) this.#eventful.delete(command);
      else if (all || command.state === "answered" || command.events?.isFull === true) speaking.push(command);
    }
    return speaking;
  }

  async #append(commands: readonly HeldCommand[]): Promise<void> {
    const batches = commands.map(({ claim: { id, token }, events }): EventBatch => ({
      id,
      token,
      events: events?.take() ?? [],
      batch: events?.batch,
    }));
    let results: Awaited<ReturnType<AgentSettings["store"]["appendEvents"]>>;
    try {
      results = await this.#asked(this.#settings.store.appendEvents(batches));
    } catch (thrown) {
      this.#eventsAreDue = true;
      throw thrown;
    }
    for (const [index, command] of commands.entries()) {
      const result = results[index];
      command.events?.acknowledge();
      this.#reportDropped(command);
      if (result instanceof RpcError) this.#unheard(command, result);
      if (!command.hasEvents) this.#eventful.delete(command);
      else this.#eventsAreDue = true;
    }
  }

  #unheard(command: HeldCommand, error: RpcError): void {
    if (command.state === "over") return;
    if (error.reason === "LEASE_LOST") return this.#refused(command, error);
    const { id, method } = command.claim;
    this.#settings.onError(
      unstoredError(`command ${id} (${method}): what its handler said could not be stored`, error),
    );
  }

  #reportDropped(command: HeldCommand): void {
    const dropped = command.events?.takeDropped() ?? 0;
    if (dropped === 0) return;
    const { id, method } = command.claim;
    const message = `command ${id} (${method}): its handler said more than the database took: the oldest ${dropped} lines are lost`;
    this.#settings.onError(new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxEvents" }));
  }

  async #settle(commands: readonly HeldCommand[]): Promise<void> {
    // In one object as the store has it: `verdict` is set before a command comes here.
    const answers: readonly Answer[] = commands.map(({ claim: { id, token }, verdict }) => ({
      ...(verdict ?? { outcome: "released" }),
      id,
      token,
    }));
    let results: Awaited<ReturnType<AgentSettings["store"]["settle"]>>;
    try {
      results = await this.#asked(this.#settings.store.settle(answers));
    } catch (thrown) {
      if (RpcError.from(thrown).delivered !== "no") for (const command of commands) command.isAnswerUncertain = true;
      throw thrown;
    }
    let again: RpcError | undefined = undefined;
    for (const [index, command] of commands.entries()) again = this.#settled(command, results[index]) ?? again;
    if (again !== undefined) throw again;
  }

  /** An error after which the same answer is tried again. */
  #settled(command: HeldCommand, result: Settled | RpcError | undefined): RpcError | undefined {
    if (command.state !== "answered") return undefined;
    if (!(result instanceof RpcError)) {
      this.#answered.delete(command);
      this.#owner.over(command);
      return undefined;
    }
    if (result.reason === "LEASE_LOST") {
      this.#refused(command, result);
      return undefined;
    }
    if (result.retryable) return result;
    this.#replaceAnswer(command, result);
    return undefined;
  }

  /** The row cannot take this answer. It gets one that it can take, so that it does not hang. */
  #replaceAnswer(command: HeldCommand, result: RpcError): void {
    const { id, method } = command.claim;
    const error = unstoredError(`command ${id} (${method}): its answer could not be stored`, result);
    this.#settings.onError(error);
    if (command.isAnswerReplaced) {
      this.givenUp.add(command.claim);
      this.#answered.delete(command);
      this.#owner.over(command);
      return;
    }
    command.isAnswerReplaced = true;
    const said = new RpcError("INTERNAL", `${command.method.name}: the database cannot hold what came of it`, {
      reason: "RESULT_UNSERIALIZABLE",
    });
    command.verdict = { outcome: "failed", error: failureOf(said, undefined).error };
  }

  #refused(command: HeldCommand, error: RpcError): void {
    const { verdict } = command;
    this.#answered.delete(command);
    if (verdict !== undefined) {
      const { claim, isAnswerUncertain } = command;
      this.#settings.onError(lateAnswerError(claim, verdict.outcome, error, isAnswerUncertain));
    }
    this.#owner.lost(command, error);
  }

  #asked<T>(promise: Promise<T>): Promise<T> {
    return answeredWithin(promise, this.#settings.leaseMs, this.#settings.clock);
  }
}
