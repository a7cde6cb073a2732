import type { CallHandle, CallState, LogLine } from "@rpc/core";
import { Metadata, RpcError } from "@rpc/core";
import { type MethodDescriptor, noteCallError } from "@rpc/core/transport";
import type { CommandEvent } from "../command/event.ts";
import { errorOfFailure, failureMetadata } from "../command/failure.ts";
import { readReply } from "../command/reply.ts";
import { noCommandError } from "../store/store-errors.ts";
import type { CommandRow, CommandState, Inserted, NewCommand, Outcome } from "../store/store-words.ts";
import { commandEvents } from "./command-events.ts";
import type { Engine } from "./engine.ts";
import type { Insertion } from "./inserts.ts";
import { hasResult, parsedOutcome, unreadable } from "./issued-call.ts";
import { isOver, type Waiter } from "./outcomes.ts";
import { isSpilled, unspilled } from "./spilled.ts";

/**
 * A command that was sent. Awaiting it gives its result, in this process or in another one that has its id. Nothing is waited for unless
 * somebody asks: a handle that is dropped costs nothing, and its failure ends no process.
 */
export interface CommandHandle<Output = unknown, Progress = unknown> extends CallHandle<Output, Progress> {
  /** The command's id in decimal; empty until it is in the table. */
  readonly id: string;
  /** Its number in the table, once it is there; rejects when it was refused. With an idempotency key that was there already: the first one's. */
  readonly accepted: Promise<number>;
  /** As far as it is known here: what somebody awaits is known at once. `row()` asks the table. */
  readonly state: CallState;
  /** What the handler reported from the beginning, and what it still does. Any number of readers. */
  readonly progress: AsyncIterable<Progress>;
  /** As `progress`. */
  readonly log: AsyncIterable<LogLine>;
  /** Progress and log in one order, from the event after `afterSeq` (default 0, the first) until the command's end. */
  events(options?: { readonly afterSeq?: number | undefined }): AsyncIterable<CommandEvent>;
  /** All that the table has of it. Rejects NOT_FOUND when it has been deleted. */
  row(): Promise<CommandRow>;
  /**
   * A command that waits ends at once. One that runs is asked to end: it is `cancelled` if it does, and has its real outcome if that comes
   * first. Settles when the table has it; no effect on one that is over.
   */
  cancel(reason?: string): Promise<void>;
}

/** How a result becomes what the handle gives. */
export type ReadResult = (
  method: MethodDescriptor,
  json: unknown,
  id: number,
) => { value: unknown; metadata?: Metadata | undefined };

/** Of a handle that was made by its id. */
const NONE: NewCommand = { address: "", method: "" };

export class SentCommand implements CommandHandle, Insertion, Waiter {
  readonly command: NewCommand;
  readonly responseMetadata: Metadata = new Metadata();
  readonly #engine: Engine;
  readonly #method: MethodDescriptor;
  readonly #read: ReadResult;
  readonly #acceptance: PromiseWithResolvers<number> = Promise.withResolvers();
  #id: number | undefined = undefined;
  #isDropped = false;
  #state: CallState = "running";
  #result: PromiseWithResolvers<unknown> | undefined = undefined;

  constructor(
    engine: Engine,
    method: MethodDescriptor,
    from: { readonly command: NewCommand } | { readonly id: number } | { readonly error: RpcError },
    read: ReadResult = readReply,
  ) {
    this.#engine = engine;
    this.#method = method;
    this.#read = read;
    // Who only awaits the outcome, or nothing at all, has not asked for this one.
    this.#acceptance.promise.catch(() => undefined);
    this.command = "command" in from ? from.command : NONE;
    if ("command" in from) engine.insert(this);
    else if ("id" in from) this.#accept(from.id, true);
    else this.refused(from.error);
  }

  get id(): string {
    return this.#id === undefined ? "" : String(this.#id);
  }

  get accepted(): Promise<number> {
    return this.#acceptance.promise;
  }

  get state(): CallState {
    return this.#state;
  }

  get progress(): AsyncIterable<unknown> {
    return { [Symbol.asyncIterator]: () => this.#only((event) => (event.kind === "progress" ? [event.value] : [])) };
  }

  get log(): AsyncIterable<LogLine> {
    return { [Symbol.asyncIterator]: () => this.#only((event) => (event.kind === "log" ? [event.line] : [])) };
  }

  events({ afterSeq = 0 }: { readonly afterSeq?: number | undefined } = {}): AsyncIterable<CommandEvent> {
    return { [Symbol.asyncIterator]: () => this.#events(afterSeq) };
  }

  async row(): Promise<CommandRow> {
    const id = await this.accepted;
    const [row] = await this.#engine.store.read([id]);
    if (row === undefined) throw noCommandError(id);
    return row;
  }

  async cancel(reason = "cancelled by its issuer"): Promise<void> {
    if (this.#state !== "running") return;
    await this.#engine.cancel(await this.accepted, reason.slice(0, 1000).toWellFormed());
  }

  // oxlint-disable-next-line unicorn/no-thenable -- a handle is awaitable by design
  then<A = unknown, B = never>(
    done?: ((output: unknown) => A | PromiseLike<A>) | null,
    failed?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#outcome().then(done, failed);
  }

  catch<T>(recover: (reason: unknown) => T | PromiseLike<T>): Promise<unknown> {
    return this.#outcome().catch(recover);
  }

  finally(run: () => void): Promise<unknown> {
    return this.#outcome().finally(run);
  }

  // ---- on its way into the table

  get isDropped(): boolean {
    return this.#isDropped;
  }

  leaving(): void {
    // Nothing to do: it cannot be taken back.
  }

  inserted(row: Inserted): void {
    this.#engine.sent(row, this.command.address, this.command.method);
    this.#accept(row.id, isOver(row.state) || row.existing);
  }

  refused(error: RpcError): void {
    noteCallError(error);
    this.#isDropped = true;
    this.#acceptance.reject(error);
    this.#fail("failed", error);
  }

  #accept(id: number, isOldNews: boolean): void {
    this.#id = id;
    this.#acceptance.resolve(id);
    if (this.#result !== undefined) this.#wait(id, isOldNews);
  }

  // ---- on its way back

  settled(outcome: Outcome | undefined): void {
    if (outcome === undefined) return this.#fail("failed", noCommandError(this.#id ?? 0));
    this.#engine.settled(outcome.id, outcome.state);
    const { name } = this.#method;
    try {
      const json = parsedOutcome(outcome, name, this.#engine.settings);
      if (!isSpilled(json)) return this.#tell(outcome, json);
      unspilled(this.#engine, outcome.id, json).then(
        (whole) => this.#tell(outcome, whole),
        (thrown: unknown) => this.#fail("failed", unreadable(name, outcome.id, RpcError.from(thrown))),
      );
    } catch (thrown) {
      this.#fail("failed", unreadable(name, outcome.id, RpcError.from(thrown)));
    }
  }

  #tell(outcome: Outcome, json: unknown): void {
    const { name } = this.#method;
    try {
      if (hasResult(outcome)) {
        const { value, metadata } = this.#read(this.#method, json, outcome.id);
        this.#keep(metadata);
        this.#state = stateOf(outcome.state);
        return this.#result?.resolve(value);
      }
      this.#keep(failureMetadata(json));
      this.#fail(stateOf(outcome.state), errorOfFailure(json, name, this.#method));
    } catch (thrown) {
      this.#fail("failed", unreadable(name, outcome.id, RpcError.from(thrown)));
    }
  }

  abandoned(error: RpcError): void {
    // The command is what it was: only this process does not hear of it any more.
    this.#result?.reject(noteCallError(error));
  }

  #outcome(): Promise<unknown> {
    if (this.#result === undefined) {
      this.#result = Promise.withResolvers();
      // A handle that was awaited with one branch must not end the process by the other.
      this.#result.promise.catch(() => undefined);
      if (this.#id !== undefined) this.#wait(this.#id, true);
      else if (this.#isDropped) this.accepted.catch((error: unknown) => this.#result?.reject(error));
    }
    return this.#result.promise;
  }

  /** `isOldNews`: its end may have come when nobody here waited for it. */
  #wait(id: number, isOldNews: boolean): void {
    const { abandonment } = this.#engine;
    if (abandonment !== undefined) return this.abandoned(abandonment);
    this.#engine.outcomes.wait(id, this, isOldNews);
  }

  #fail(state: CallState, error: RpcError): void {
    this.#state = state;
    this.#result?.reject(noteCallError(error));
  }

  #keep(metadata: Metadata | undefined): void {
    for (const [key, value] of metadata ?? []) this.responseMetadata.set(key, value);
  }

  async *#events(afterSeq: number): AsyncGenerator<CommandEvent, void, undefined> {
    yield* commandEvents(this.#engine, await this.accepted, afterSeq, this.#method);
  }

  async *#only<T>(pick: (event: CommandEvent) => readonly T[]): AsyncGenerator<T, void, undefined> {
    for await (const event of this.#events(0)) yield* pick(event);
  }
}

function stateOf(state: CommandState): CallState {
  if (!isOver(state)) return "running";
  if (state === "done" || state === "cancelled") return state;
  return "failed";
}
