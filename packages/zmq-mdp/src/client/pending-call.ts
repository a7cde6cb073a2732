import { RpcError } from "@rpc/core";
import { type CallContext, type CancelListener, noteCallError, shown } from "@rpc/core/transport";
import { readBody } from "../calls/body.ts";
import { ownMember, readEntries } from "../calls/meta.ts";
import { errorIn, outputIn } from "../calls/reply.ts";
import type { Frames } from "../frames/words.ts";
import type { Exchange, ReplySink } from "./exchange.ts";
import type { Requester } from "./requester.ts";

/** One unary call or notification, from when it is sent until its caller has been told how it ended. */
export class PendingCall implements ReplySink, CancelListener {
  readonly #context: CallContext;
  readonly #requester: Requester;
  readonly #maxMetadataBytes: number;
  readonly #resolve: (output: unknown) => void;
  readonly #reject: (error: RpcError) => void;
  #exchange: Exchange | undefined = undefined;
  #isSettled = false;

  constructor(
    context: CallContext,
    requester: Requester,
    maxMetadataBytes: number,
    resolve: (output: unknown) => void,
    reject: (error: RpcError) => void,
  ) {
    this.#context = context;
    this.#requester = requester;
    this.#maxMetadataBytes = maxMetadataBytes;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** The method's name, for messages: neither its megabytes nor its control characters. */
  get label(): string {
    return shown(this.#context.method.name, 200);
  }

  start(service: string, body: Frames): void {
    const { context, label } = { context: this.#context, label: this.label };
    const isHandedOver = context.method.kind === "notification" && !context.ackWanted;
    const keptMs = isHandedOver ? NOTIFICATION_MS : undefined;
    this.#exchange = this.#requester.request(label, service, body, context.deadline, this, keptMs);
    if (isHandedOver) {
      // Its caller waits no more; the request itself goes on until it is answered or its deadline.
      this.#isSettled = true;
      this.#resolve(undefined);
    } else context.onCancel(this);
  }

  cancelled(reason: RpcError): void {
    if (this.#exchange === undefined) this.failed(reason);
    else this.#requester.abandon(this.#exchange, reason);
  }

  partial(): void {
    return undefined;
  }

  final(frames: Frames): void {
    if (this.#isSettled) return;
    const context = this.#context;
    const { method } = context;
    let output: unknown;
    try {
      const body = readBody(frames);
      const meta = ownMember(body.data, "$meta");
      if (typeof meta === "object" && meta !== null) {
        const metadata = readEntries(ownMember(meta, "metadata"), this.#maxMetadataBytes);
        if (metadata !== undefined) for (const [key, value] of metadata) context.responseMetadata.set(key, value);
      }
      const error = errorIn(body, method, this.label);
      if (error !== undefined) return this.failed(error);
      output = method.kind === "notification" ? undefined : outputIn(body, method);
    } catch (thrown) {
      const { message, code } = RpcError.from(thrown);
      const text = `${this.label}: the reply cannot be decoded: ${message}`;
      const isTooMuch = code === "RESOURCE_EXHAUSTED";
      return this.failed(
        new RpcError(isTooMuch ? code : "INTERNAL", text, {
          reason: isTooMuch ? "maxMetadataBytes" : "PROTOCOL",
          cause: thrown,
        }),
      );
    }
    this.#isSettled = true;
    context.onCancel(undefined);
    this.#resolve(output);
  }

  failed(error: RpcError): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#context.onCancel(undefined);
    this.#reject(noteCallError(error));
  }
}

/** How long the answer to a notification is awaited, which nobody waits for: a broker that has lost it is not to keep its place for ever. */
const NOTIFICATION_MS = 60_000;
