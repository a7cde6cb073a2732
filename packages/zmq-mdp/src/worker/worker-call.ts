import { type Peer, RpcError } from "@rpc/core";
import {
  CallScope,
  type Expiring,
  isCallError,
  isPromiseLike,
  type Metadata,
  type MethodDescriptor,
} from "@rpc/core/transport";
import { type ActionBody, bytesOf, resultOf } from "../calls/body.ts";
import type { CallMeta } from "../calls/meta.ts";
import { binaryText, errorText, outputText } from "../calls/reply.ts";
import type { WorkerRequest } from "./registration.ts";

/** What calls need of the listener that they came to. */
export interface CallHost {
  readonly endpoint: string;
  readonly maxMetadataBytes: number;
  readonly exposeStacks: boolean;
  /** A gateway passes on what is known about a call's way; a handler's own calls say nothing about the call that it answers. */
  readonly isGateway: boolean;
  /** The handler has settled, whether or not anybody waited for it. */
  finished(call: WorkerCall): void;
  /** The reply is sent, or nobody waits for it any more. */
  settled(call: WorkerCall): void;
  report(error: RpcError): void;
}

/** One call at its handler: its context, and how its reply comes about. */
export class WorkerCall extends CallScope implements Expiring {
  readonly id: string;
  readonly request: WorkerRequest;
  readonly meta: CallMeta;
  readonly #host: CallHost;
  readonly #action: string;
  #peer: Peer | undefined = undefined;
  #items: AsyncIterator<unknown> | undefined = undefined;
  #settled = false;

  constructor(
    host: CallHost,
    request: WorkerRequest,
    method: MethodDescriptor,
    { action }: ActionBody,
    meta: CallMeta,
    deadline: number | undefined,
  ) {
    super(method, deadline);
    this.#host = host;
    this.#action = action;
    this.request = request;
    this.meta = meta;
    lastId += 1;
    this.id = meta.id ?? `mdp/${lastId}`;
  }

  get peer(): Peer {
    this.#peer ??= new MdpPeer(this.#host.endpoint, this);
    return this.#peer;
  }

  get attempt(): number {
    return 1;
  }

  get idempotencyKey(): string | undefined {
    return this.meta.idempotencyKey;
  }

  get depth(): number {
    return this.meta.depth;
  }

  get parent(): undefined {
    return undefined;
  }

  get observed(): boolean {
    return false;
  }

  override get hasMetadata(): boolean {
    return this.meta.metadata !== undefined;
  }

  protected override initialMetadata(): Metadata {
    return this.meta.metadata ?? super.initialMetadata();
  }

  // Nothing goes back before the reply.
  progress(): void {
    return undefined;
  }

  log(): void {
    return undefined;
  }

  get isSettled(): boolean {
    return this.#settled;
  }

  expire(): void {
    const reason = new RpcError("DEADLINE_EXCEEDED", `${this.method.name}: deadline exceeded`, { reason: "DEADLINE" });
    this.end(reason);
  }

  /** Answers with an error before the handler has: it may go on, and nobody hears of it. */
  end(reason: RpcError): void {
    if (this.#settled) return;
    this.fail(reason);
    this.cancelWith(reason);
    // A source that waits for its next item ends when its signal does; one that is asked for it ends now.
    this.#items?.return?.()?.catch(() => undefined);
  }

  /** Runs the handler; a handler that need not wait costs no promise. */
  run(handle: () => unknown): void {
    let output: unknown;
    try {
      output = handle();
    } catch (thrown) {
      this.fail(thrown);
      return this.#host.finished(this);
    }
    if (!isPromiseLike(output)) {
      this.succeed(output);
      return this.#host.finished(this);
    }
    output.then(
      (value) => {
        this.succeed(value);
        this.#host.finished(this);
      },
      (thrown: unknown) => {
        this.fail(thrown);
        this.#host.finished(this);
      },
    );
  }

  /** Reads a stream's items into partial replies, the end into the last one. */
  async runStream(items: AsyncIterable<unknown>): Promise<void> {
    let count = 0;
    const iterator = items[Symbol.asyncIterator]();
    this.#items = iterator;
    try {
      for await (const item of { [Symbol.asyncIterator]: () => iterator }) {
        // The broker is gone, or has had enough of it.
        if (this.#settled || !this.request.isOpen) break;
        // Nobody holds it back: a source that never waits would keep everything else from running.
        count += 1;
        if (count % ITEMS_A_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
        this.request.partial([Buffer.from(resultOf(this.#action)), ...this.#outputFrames(item, undefined)]);
      }
      this.#answer(() => [END]);
    } catch (thrown) {
      this.fail(thrown);
    }
    this.#host.finished(this);
  }

  succeed(output: unknown): void {
    if (this.method.kind === "notification") return this.#answer(() => [NOTHING]);
    this.#answer(() => this.#outputFrames(output, this.responseMetadataIfAny));
  }

  fail(thrown: unknown): void {
    const error = this.#own(RpcError.from(thrown));
    const { maxMetadataBytes, exposeStacks } = this.#host;
    this.#answer(() => [
      Buffer.from(errorText(error, this.method, this.responseMetadataIfAny, maxMetadataBytes, exposeStacks)),
    ]);
  }

  /** A notification is taken up: its caller hears no more of it. */
  accepted(): void {
    this.#answer(() => [NOTHING]);
  }

  /** Data, and behind it the bytes of a caller who asked in bytes. */
  #outputFrames(output: unknown, metadata: Metadata | undefined): Uint8Array[] {
    const { maxMetadataBytes } = this.#host;
    const bytes = this.meta.isBinary ? bytesOf(this.method.output, output) : undefined;
    if (bytes !== undefined) return [Buffer.from(binaryText(metadata, maxMetadataBytes)), bytes];
    return [Buffer.from(outputText(this.method, output, metadata, maxMetadataBytes))];
  }

  #answer(data: () => Uint8Array[]): void {
    if (this.#settled) return;
    let frames: Uint8Array[];
    try {
      frames = data();
    } catch (thrown) {
      const { message } = RpcError.from(thrown);
      const error = new RpcError("INTERNAL", `${this.method.name}: the output cannot be sent: ${message}`, {
        reason: "RESULT_UNSERIALIZABLE",
      });
      this.#host.report(error);
      frames = [Buffer.from(errorText(error, this.method, undefined, 0, this.#host.exposeStacks))];
    }
    this.#settled = true;
    this.onCancel(undefined);
    this.request.reply([Buffer.from(resultOf(this.#action)), ...frames]);
    this.#host.settled(this);
  }

  #own(error: RpcError): RpcError {
    if (this.#host.isGateway || error.delivered !== "no" || !isCallError(error)) return error;
    const { code, message, reason, details, retryable, cause } = error;
    return new RpcError(code, message, { reason, details, retryable, cause, delivered: "unknown" });
  }
}

const ITEMS_A_TURN = 32;
const NOTHING: Uint8Array = Buffer.from(`{"status":true,"$meta":{}}`);
const END: Uint8Array = Buffer.from(`{"status":true,"$meta":{"end":true}}`);
let lastId = 0;

/** Who called, as far as a worker is told: a broker stands in between. Nobody can be called back through it. */
class MdpPeer implements Peer {
  readonly endpoint: string;
  readonly identity = undefined;
  readonly ignoredCount = 0;
  readonly callsInFlight = 1;
  readonly #call: WorkerCall;

  constructor(endpoint: string, call: WorkerCall) {
    this.endpoint = endpoint;
    this.#call = call;
  }

  get instanceId(): string {
    return this.#call.meta.instanceId;
  }

  get connected(): boolean {
    return this.#call.request.isOpen;
  }

  client(): never {
    const message = `${this.endpoint} cannot call back: let the caller be a worker of its own service`;
    throw new RpcError("FAILED_PRECONDITION", message, { reason: "CAPABILITY" });
  }

  disconnect(reason?: RpcError): void {
    this.#call.end(reason ?? new RpcError("CANCELLED", "the handler ended the request", { reason: "CANCELLED" }));
  }
}
