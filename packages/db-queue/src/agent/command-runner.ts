import { type Handler, RpcError } from "@rpc/core";
import { DEFAULT_LIMITS, isPromiseLike, MAX_TIMER_MS, shown } from "@rpc/core/transport";
import { inputOf } from "../command/arguments.ts";
import { failureOf, type FailureOptions } from "../command/failure.ts";
import { replyText } from "../command/reply.ts";
import { isTooLargeForRow } from "../command/spill.ts";
import { lateAnswerError, unstoredError } from "./agent-errors.ts";
import type { AgentSettings } from "./agent-options.ts";
import type { HeldCommand, Interruption, Verdict } from "./held-command.ts";

export interface RunnerOwner {
  /** What goes into the row. Not for a command that is over. */
  answered(command: HeldCommand, verdict: Verdict): void;
  /** Its handler has ended: there is room for another one. */
  freed(command: HeldCommand): void;
}

/** Runs handlers, and says what came of each. A failure never becomes a success. */
export class CommandRunner {
  readonly #handler: Handler;
  readonly #settings: AgentSettings;
  readonly #owner: RunnerOwner;
  #running = 0;

  constructor(handler: Handler, settings: AgentSettings, owner: RunnerOwner) {
    this.#handler = handler;
    this.#settings = settings;
    this.#owner = owner;
  }

  /** Handlers that have not ended, whatever became of their rows. */
  get running(): number {
    return this.#running;
  }

  /** Starts the handler, or answers for it when it must not run. */
  start(command: HeldCommand): void {
    const refusal = this.#refusal(command);
    if (refusal !== undefined) return this.#owner.answered(command, refusal);
    command.state = "running";
    command.isRunning = true;
    this.#running++;
    let input: unknown;
    try {
      input = inputOf(command.method, command.claim, command.meta.payload);
    } catch (thrown) {
      const isTheirs = RpcError.from(thrown).code === "INVALID_ARGUMENT";
      return this.#finish(command, this.#failed(command, thrown, isTheirs ? { code: "INVALID_ARGS" } : {}));
    }
    let output: unknown;
    try {
      output = this.#handler.call(input, command);
    } catch (thrown) {
      return this.#finish(command, this.#verdictOfThrown(command, thrown));
    }
    if (!isPromiseLike(output)) return this.#finish(command, this.#verdictOfOutput(command, output));
    Promise.resolve(output).then(
      (value) => this.#finish(command, this.#verdictOfOutput(command, value)),
      (thrown: unknown) => this.#finish(command, this.#verdictOfThrown(command, thrown)),
    );
  }

  /** Aborts the handler's signal; the first reason stays. */
  interrupt(command: HeldCommand, how: Interruption, reason: RpcError): void {
    // The agent does not outlive it: whoever ignores its signal is given up now.
    if (how === "closing") this.#endGrace(command);
    if (command.interruption !== undefined) return;
    command.interruption = how;
    const { clock, abortGraceMs } = this.#settings;
    if (command.isRunning && (how === "cancel" || how === "deadline"))
      command.graceTimer = clock.setTimeout(() => this.#giveUp(command), Math.min(abortGraceMs, MAX_TIMER_MS));
    command.cancelWith(reason);
  }

  /** What is written of a command whose handler was interrupted and has not ended. */
  verdictWithout(command: HeldCommand): Verdict {
    return this.#verdictOfThrown(command, command.cancelReason);
  }

  #refusal(command: HeldCommand): Verdict | undefined {
    const { claim, deadline, depth } = command;
    if (!command.isServed) return this.#failed(command, notServed(command), { code: "METHOD_NOT_FOUND" });
    const now = this.#settings.clock.now();
    // Somebody else may have it by now, or it has expired here: the database knows.
    if (command.leaseUntil <= now || command.expiresAt <= now) return { outcome: "released" };
    if (deadline !== undefined && deadline <= now) {
      const message = `command ${claim.id} (${claim.method}): its deadline had passed before it was started`;
      const late = new RpcError("DEADLINE_EXCEEDED", message, { reason: "DEADLINE", delivered: "no" });
      return { outcome: "failed", error: failureOf(late, command.method).error };
    }
    if (depth <= DEFAULT_LIMITS.maxDepth) return undefined;
    const message = `${command.method.name}: calls that call on went deeper than ${DEFAULT_LIMITS.maxDepth}; is there a loop?`;
    const tooDeep = new RpcError("RESOURCE_EXHAUSTED", message, { reason: "maxDepth", delivered: "no" });
    return { outcome: "failed", error: failureOf(tooDeep, command.method).error };
  }

  #verdictOfOutput(command: HeldCommand, output: unknown): Verdict {
    const { method } = command;
    const { maxResultBytes } = this.#settings;
    try {
      const result = replyText(method, output, command.responseMetadataIfAny);
      if (Buffer.byteLength(result) <= maxResultBytes) {
        if (isTooLargeForRow(result)) command.spill = result;
        return { outcome: "done", result };
      }
      throw new RpcError("RESOURCE_EXHAUSTED", `larger than maxResultBytes (${maxResultBytes})`, {
        reason: "maxResultBytes",
      });
    } catch (thrown) {
      const { code, message, reason } = RpcError.from(thrown);
      const isTooLarge = code === "RESOURCE_EXHAUSTED";
      const error = new RpcError(isTooLarge ? code : "INTERNAL", `${method.name}: output: ${message}`, {
        reason: isTooLarge ? reason : "RESULT_UNSERIALIZABLE",
        cause: thrown,
      });
      return this.#failed(command, error, { code: "RESULT_UNSERIALIZABLE" });
    }
  }

  #verdictOfThrown(command: HeldCommand, thrown: unknown): Verdict {
    const { method, cancelReason } = command;
    const metadata = command.responseMetadataIfAny;
    switch (command.interruption) {
      case "cancel":
        if (thrown !== cancelReason && RpcError.from(thrown).code !== "CANCELLED") break;
        return { outcome: "cancelled", error: failureOf(cancelReason, method, { code: "CANCELLED", metadata }).error };
      case "lease":
      case "closing": {
        // It was not the command's fault: another try where there is one, without a pause.
        const { error } = failureOf(cancelReason, method, { code: "LEASE_LOST", metadata });
        return { outcome: "failed", error, retryable: true, retryDelayMs: 0 };
      }
      case "deadline":
        return { ...this.#failed(command, thrown), retryable: false };
      case undefined:
        break;
    }
    return this.#failed(command, thrown);
  }

  #failed(
    command: HeldCommand,
    thrown: unknown,
    options: FailureOptions = {},
  ): Verdict & { readonly outcome: "failed" } {
    const { exposeStacks } = this.#settings;
    const metadata = command.responseMetadataIfAny;
    const failure = failureOf(thrown, command.method, { ...options, exposeStacks, metadata });
    if (command.claim.notification) {
      const { id, method } = command.claim;
      this.#settings.onError(unstoredError(`notification ${id} (${method}) failed`, RpcError.from(thrown)));
    }
    const { largeDetails, ...rest } = failure;
    if (largeDetails !== undefined && Buffer.byteLength(largeDetails) <= this.#settings.maxResultBytes)
      command.spill = largeDetails;
    return { outcome: "failed", ...rest };
  }

  #finish(command: HeldCommand, verdict: Verdict): void {
    command.isRunning = false;
    this.#running--;
    command.onCancel(undefined);
    this.#endGrace(command);
    if (command.state === "running") this.#owner.answered(command, verdict);
    else this.#settings.onError(lateAnswerError(command.claim, verdict.outcome, command.cancelReason));
    this.#owner.freed(command);
  }

  #endGrace(command: HeldCommand): void {
    if (command.graceTimer !== undefined) this.#settings.clock.clearTimeout(command.graceTimer);
    command.graceTimer = undefined;
  }

  /** It does not heed its signal: the row does not wait for it, its place does. */
  #giveUp(command: HeldCommand): void {
    command.graceTimer = undefined;
    if (command.state !== "running") return;
    const { id, method } = command.claim;
    const message = `command ${id} (${method}): its handler goes on although its signal was aborted ${this.#settings.abortGraceMs} ms ago; its row is ended without it`;
    this.#settings.onError(new RpcError("ABORTED", message, { reason: "HANDLER_STUCK", cause: command.cancelReason }));
    this.#owner.answered(command, this.verdictWithout(command));
  }
}

function notServed({ method }: HeldCommand): RpcError {
  return new RpcError("UNIMPLEMENTED", `${shown(method.name, 200)} is not served at this address`, {
    reason: "METHOD_NOT_FOUND",
    delivered: "no",
  });
}
