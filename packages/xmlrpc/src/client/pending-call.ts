import { RpcError } from "@rpc/core";
import { type CallContext, type CancelListener, type Expiring, noteCallError, shown } from "@rpc/core/transport";
import { LimitFault } from "../codec/faults.ts";
import { revived } from "../revive.ts";

/** What carries a call while it is on its way: a request of its own, or one that it shares. */
export interface Carrier {
  /** Whether the call may have arrived. */
  readonly sent: boolean;
  /** The caller of this call waits no more. */
  leave(call: PendingCall): void;
}

/** Where calls are kept while they run. */
export interface CallRegister {
  forget(call: PendingCall): void;
}

/** One call from its start until its caller has been told how it ended. */
export class PendingCall implements CancelListener, Expiring {
  readonly context: CallContext;
  readonly deadline: number | undefined;
  carrier: Carrier | undefined = undefined;
  settled = false;
  #isHandedOver = false;
  readonly #register: CallRegister;
  readonly #resolve: (output: unknown) => void;
  readonly #reject: (error: RpcError) => void;

  constructor(
    context: CallContext,
    deadline: number | undefined,
    register: CallRegister,
    resolve: (output: unknown) => void,
    reject: (error: RpcError) => void,
  ) {
    this.context = context;
    this.deadline = deadline;
    this.#register = register;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** The method's name, for messages: neither its megabytes nor its control characters. */
  get label(): string {
    return shown(this.context.method.name, 200);
  }

  /** A notification whose caller does not wait for the server. */
  get oneWay(): boolean {
    return this.context.method.kind === "notification" && !this.context.ackWanted;
  }

  succeed(output: unknown): void {
    if (this.settled) return;
    this.#settle();
    const { method } = this.context;
    if (method.kind === "notification") return this.#resolve(undefined);
    try {
      this.#resolve(revived(method.output, output));
    } catch (thrown) {
      const { message } = RpcError.from(thrown);
      const text = `${this.label}: the reply cannot be decoded: ${message}`;
      this.#reject(noteCallError(new RpcError("INTERNAL", text, { reason: "PROTOCOL", cause: thrown })));
    }
  }

  /**
   * The caller of a notification waits no more. The call itself goes on until it is answered or its deadline: a server that answers neither now
   * nor later would otherwise keep a connection for good.
   */
  handedOver(): void {
    if (this.settled || this.#isHandedOver) return;
    this.#isHandedOver = true;
    this.context.onCancel(undefined);
    this.#resolve(undefined);
  }

  fail(thrown: unknown): void {
    if (this.settled) return;
    this.#settle();
    if (this.#isHandedOver) return;
    this.#reject(noteCallError(this.#named(RpcError.from(thrown))));
  }

  cancelled(reason: RpcError): void {
    this.#giveUp(reason);
  }

  expire(): void {
    const delivered = this.carrier?.sent === true ? "unknown" : "no";
    this.#giveUp(
      new RpcError("DEADLINE_EXCEEDED", `${this.label}: deadline exceeded`, { reason: "DEADLINE", delivered }),
    );
  }

  #giveUp(reason: RpcError): void {
    if (this.settled) return;
    const { carrier } = this;
    this.fail(reason);
    carrier?.leave(this);
  }

  #settle(): void {
    this.settled = true;
    this.context.onCancel(undefined);
    this.#register.forget(this);
  }

  /** Errors of this end name their call; what a server says is passed on as it is. */
  #named(error: RpcError): RpcError {
    const isOwn = error.reason === "PROTOCOL" || error.cause instanceof LimitFault;
    if (!isOwn || error.message.startsWith(this.label)) return error;
    const { code, reason, details, delivered, retryable, cause } = error;
    return new RpcError(code, `${this.label}: ${error.message}`, { reason, details, delivered, retryable, cause });
  }
}
