import { type CallContext, noteCallError, type CancelListener, type Expiring } from "@rpc/core/transport";
import { RpcError } from "@rpc/core";
import { errorOfFailure, failureMetadata } from "../command/failure.ts";
import { parsedJson } from "../command/json-text.ts";
import { readReply } from "../command/reply.ts";
import { tooLarge } from "../command/spill.ts";
import { noCommandError } from "../store/store-errors.ts";
import type { CommandState, Inserted, NewCommand, Outcome } from "../store/store-words.ts";
import { commandEvents } from "./command-events.ts";
import type { Engine } from "./engine.ts";
import type { Insertion } from "./inserts.ts";
import { isOver, type Waiter } from "./outcomes.ts";
import { isSpilled, unspilled } from "./spilled.ts";

/** Where a call's outcome goes. */
export interface CallEnd {
  /** It is in the table. Once, before the others, unless it fails before. */
  accepted?(id: number): void;
  resolve(output: unknown): void;
  reject(error: RpcError): void;
  /** It is over, whatever became of it. */
  over(call: IssuedCall): void;
}

/** In the response metadata of a call that was started with a handle: the command's id, for `queue.handle`. */
const COMMAND_ID = "rpc-command-id";

/**
 * A call on its way through the table: insertion, waiter, what has a deadline and what can be cancelled, in one object. Its caller hears of a
 * cancellation and of its deadline at once, the agent as soon as it can.
 */
export class IssuedCall implements Insertion, Waiter, CancelListener, Expiring {
  readonly command: NewCommand;
  readonly #engine: Engine;
  readonly #context: CallContext;
  readonly #end: CallEnd;
  /** A notification: all is done when it is in the table. */
  readonly #isOneWay: boolean;
  #id = 0;
  #hasLeft = false;
  #isSettled = false;
  /** Ended here while the insert was under way: to be cancelled as soon as its id is known. */
  #cancelText: string | undefined = undefined;
  /** Local instant by which the command has expired, if it was not taken. */
  #expiresAt: number | undefined = undefined;
  #pump: Promise<void> | undefined = undefined;

  constructor(engine: Engine, context: CallContext, command: NewCommand, end: CallEnd) {
    this.#engine = engine;
    this.#context = context;
    this.command = command;
    this.#end = end;
    this.#isOneWay = context.method.kind === "notification";
  }

  start(): void {
    this.#engine.insert(this);
    this.#engine.expect(this);
    this.#context.onCancel(this);
  }

  get isDropped(): boolean {
    return this.#isSettled;
  }

  get deadline(): number | undefined {
    const { deadline } = this.#context;
    const expiresAt = this.#expiresAt;
    return deadline === undefined || expiresAt === undefined ? (deadline ?? expiresAt) : Math.min(deadline, expiresAt);
  }

  leaving(): void {
    this.#hasLeft = true;
  }

  inserted(row: Inserted): void {
    this.#id = row.id;
    this.#engine.sent(row, this.command.address, this.command.method);
    if (this.#isSettled) {
      if (this.#cancelText !== undefined) this.#engine.cancelQuietly(row.id, this.#cancelText);
      return;
    }
    this.#end.accepted?.(row.id);
    if (this.#isOneWay) return this.#settle(() => this.#end.resolve(undefined));
    if (this.#context.observed) {
      this.#context.responseMetadata.set(COMMAND_ID, String(row.id));
      this.#pump = this.#passEvents(!row.existing);
    }
    if (this.command.expiresMs !== undefined) {
      this.#expiresAt = this.#engine.settings.clock.now() + Math.ceil(this.command.expiresMs);
      this.#engine.expect(this);
    }
    this.#engine.outcomes.wait(row.id, this, isOver(row.state) || row.existing);
  }

  refused(error: RpcError): void {
    this.#engine.counts.refused += 1;
    this.#fail(error);
  }

  settled(outcome: Outcome | undefined): void {
    if (outcome !== undefined) this.#engine.settled(outcome.id, outcome.state);
    // What the handler said comes before what it gave.
    if (this.#pump === undefined) this.#finish(outcome);
    else void this.#pump.then(() => this.#finish(outcome));
  }

  abandoned(error: RpcError): void {
    this.#fail(error);
  }

  cancelled(reason: RpcError): void {
    if (this.#isSettled) return;
    this.#giveUp(reason.code === "DEADLINE_EXCEEDED" ? undefined : reason.message);
    this.#fail(reason);
  }

  expire(): void {
    const { clock } = this.#engine.settings;
    const { deadline, method } = this.#context;
    if (deadline !== undefined && deadline <= clock.now()) {
      this.#giveUp(undefined);
      const delivered = this.#hasLeft ? "unknown" : "no";
      return this.#fail(deadlineExceeded(method.name, delivered));
    }
    // Taken or expired: the row knows.
    this.#expiresAt = undefined;
    this.#engine.expired(this.#id);
    this.#engine.expect(this);
  }

  /** Ended by its transport. A call is cancelled: its caller is gone. A job goes on, and so does a notification. */
  end(error: RpcError): void {
    this.#giveUp(this.#context.method.kind === "unary" ? error.message : undefined);
    this.#fail(error);
  }

  /** Nobody here waits any more. `cancelText`: nobody else does, either; undefined: the command has its own expiry, and ends by that. */
  #giveUp(cancelText: string | undefined): void {
    if (this.#id === 0) {
      this.#cancelText = cancelText;
      return;
    }
    this.#engine.outcomes.forget(this.#id, this);
    if (cancelText !== undefined) this.#engine.cancelQuietly(this.#id, cancelText);
  }

  async #passEvents(isNew: boolean): Promise<void> {
    const context = this.#context;
    try {
      for await (const event of commandEvents(this.#engine, this.#id, 0, context.method, isNew)) {
        if (this.#isSettled) return;
        if (event.kind === "progress") context.progress(event.value);
        else if (event.kind === "log") context.log(event.line.message, event.line.fields, event.line.level);
      }
    } catch (thrown) {
      // Its outcome is what counts, and comes by itself.
      if (!this.#isSettled) this.#engine.emit("error", RpcError.from(thrown));
    }
  }

  #finish(outcome: Outcome | undefined): void {
    if (this.#isSettled) return;
    if (outcome === undefined) return this.#fail(noCommandError(this.#id));
    const { method } = this.#context;
    try {
      const json = parsedOutcome(outcome, method.name, this.#engine.settings);
      if (!isSpilled(json)) return this.#tell(outcome.state, json);
      unspilled(this.#engine, this.#id, json).then(
        (whole) => this.#tell(outcome.state, whole),
        (thrown: unknown) => this.#fail(unreadable(method.name, this.#id, RpcError.from(thrown))),
      );
    } catch (thrown) {
      this.#fail(unreadable(method.name, this.#id, RpcError.from(thrown)));
    }
  }

  #tell(state: CommandState, json: unknown): void {
    const { method } = this.#context;
    try {
      if (state === "done") {
        const { value, metadata } = readReply(method, json);
        for (const [key, text] of metadata ?? []) this.#context.responseMetadata.set(key, text);
        return this.#settle(() => this.#end.resolve(value));
      }
      for (const [key, text] of failureMetadata(json) ?? []) this.#context.responseMetadata.set(key, text);
      this.#fail(errorOfFailure(json, method.name, method));
    } catch (thrown) {
      this.#fail(unreadable(method.name, this.#id, RpcError.from(thrown)));
    }
  }

  #fail(error: RpcError): void {
    this.#settle(() => this.#end.reject(noteCallError(error)));
  }

  #settle(tell: () => void): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#engine.letGo(this);
    this.#context.onCancel(undefined);
    tell();
    this.#end.over(this);
  }
}

export function deadlineExceeded(method: string, delivered: "no" | "unknown"): RpcError {
  return new RpcError("DEADLINE_EXCEEDED", `${method}: deadline exceeded`, { reason: "DEADLINE", delivered });
}

/** Whether an outcome has a result: a broadcast that was cancelled has one, too. */
export function hasResult({ state, result }: Outcome): boolean {
  return state === "done" || (state === "cancelled" && result !== undefined);
}

/** The JSON of a result, or of an error. Throws RESOURCE_EXHAUSTED for a result that is too large. */
export function parsedOutcome(
  outcome: Outcome,
  method: string,
  { maxResultBytes }: { readonly maxResultBytes: number },
): unknown {
  if (!hasResult(outcome)) return parsedJson(outcome.error ?? "null", `${method}: error`);
  const { result = "null" } = outcome;
  if (result.length * 3 > maxResultBytes && Buffer.byteLength(result) > maxResultBytes) throw tooLarge(maxResultBytes);
  return parsedJson(result, `${method}: result`);
}

export function unreadable(method: string, id: number, { code, message, reason }: RpcError): RpcError {
  const isTooLarge = code === "RESOURCE_EXHAUSTED";
  const text = `${method}: what command ${id} has come to cannot be read: ${message}`;
  return new RpcError(isTooLarge ? code : "INTERNAL", text, { reason });
}
