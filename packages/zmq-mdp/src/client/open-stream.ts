import { RpcError } from "@rpc/core";
import { type CallContext, noteCallError } from "@rpc/core/transport";
import { type ActionBody, bytesIn, readBody } from "../calls/body.ts";
import { errorIn, outputIn } from "../calls/reply.ts";
import type { Frames } from "../frames/words.ts";
import type { Exchange, ReplySink } from "./exchange.ts";
import type { Requester } from "./requester.ts";

interface StreamRequest {
  readonly label: string;
  readonly service: string;
  readonly body: Frames;
}

/** What of a stream may have arrived unread; beyond it the stream fails: MDP 0.2 has no way to hold a worker back. */
export interface UnreadLimits {
  readonly items: number;
  readonly bytes: number;
}

/** A server stream over partial replies. The request leaves when the first item is asked for. */
export function openStream(
  input: AsyncIterable<unknown>,
  context: CallContext,
  requester: Requester,
  limits: UnreadLimits,
  requestOf: (first: unknown) => StreamRequest,
): AsyncIterable<unknown> {
  return {
    [Symbol.asyncIterator]: () => readStream(input, context, requester, limits, requestOf),
  };
}

async function* readStream(
  input: AsyncIterable<unknown>,
  context: CallContext,
  requester: Requester,
  limits: UnreadLimits,
  requestOf: (first: unknown) => StreamRequest,
): AsyncGenerator {
  if (context.cancelReason !== undefined) throw context.cancelReason;
  let first: unknown;
  for await (const each of input) {
    first = each;
    break;
  }
  const inbox = new StreamInbox(context, requester, limits);
  inbox.start(requestOf(first));
  try {
    for (;;) {
      const item = await inbox.next();
      if (item === undefined) return;
      yield item.value;
    }
  } finally {
    inbox.leave();
  }
}

/** Whether the last reply says nothing but that it is the last. */
function isEnd({ data, bytes }: ActionBody): boolean {
  return Object.hasOwn(data, "$meta") && !Object.hasOwn(data, "result") && bytes === undefined;
}

interface Item {
  readonly value: unknown;
  readonly bytes: number;
}

/** Items between the socket and the reader. */
class StreamInbox implements ReplySink {
  readonly #context: CallContext;
  readonly #requester: Requester;
  readonly #limits: UnreadLimits;
  /** What came since the reader last looked, and what it looked at, from `#at` on: taking the first one out of many is no small thing. */
  #arrived: Item[] = [];
  #reading: Item[] = [];
  #at = 0;
  #bytes = 0;
  #label = "";
  #exchange: Exchange | undefined = undefined;
  #end: { readonly error: RpcError | undefined } | undefined = undefined;
  #wake: (() => void) | undefined = undefined;

  constructor(context: CallContext, requester: Requester, limits: UnreadLimits) {
    this.#context = context;
    this.#requester = requester;
    this.#limits = limits;
  }

  start({ label, service, body }: StreamRequest): void {
    this.#label = label;
    this.#exchange = this.#requester.request(label, service, body, this.#context.deadline, this);
    this.#exchange.isStream = true;
    this.#context.onCancel({ cancelled: (reason) => this.#abandon(reason) });
  }

  /** The next item, or undefined at the end; rejects with the error that ended it. */
  async next(): Promise<Item | undefined> {
    for (;;) {
      if (this.#at === this.#reading.length) {
        this.#reading = this.#arrived;
        this.#arrived = [];
        this.#at = 0;
      }
      const item = this.#reading[this.#at];
      if (item !== undefined) {
        this.#at += 1;
        this.#bytes -= item.bytes;
        return item;
      }
      if (this.#end !== undefined) {
        if (this.#end.error !== undefined) throw noteCallError(this.#end.error);
        return undefined;
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** The reader is gone: what still comes is dropped. */
  leave(): void {
    this.#abandon(new RpcError("CANCELLED", `${this.#label}: the reader has left`, { reason: "CANCELLED" }));
  }

  partial(frames: Frames): void {
    const { items, bytes } = this.#limits;
    const unread = this.#arrived.length + this.#reading.length - this.#at;
    if (unread < items && this.#bytes < bytes) return this.#take(frames, false);
    const text = `${this.#label}: ${unread} items (${this.#bytes} bytes) wait to be read, and MDP 0.2 cannot hold a worker back; read faster, or raise maxUnreadItems or maxUnreadBytes`;
    this.#abandon(
      new RpcError("RESOURCE_EXHAUSTED", text, { reason: unread < items ? "maxUnreadBytes" : "maxUnreadItems" }),
    );
  }

  final(frames: Frames): void {
    this.#take(frames, true);
    this.#finish(undefined);
  }

  failed(error: RpcError): void {
    this.#finish(error);
  }

  #take(frames: Frames, isLast: boolean): void {
    if (this.#end !== undefined) return;
    try {
      // The last one is empty where there is nothing to say but that it is over.
      if (isLast && frames.length <= 1 && (frames[0]?.length ?? 0) === 0) return;
      const body = readBody(frames);
      const error = errorIn(body, this.#context.method, this.#label);
      if (error !== undefined) return this.#finish(error);
      if (isLast && isEnd(body)) return;
      const item = { value: outputIn(body, this.#context.method), bytes: bytesIn(frames) };
      this.#bytes += item.bytes;
      this.#arrived.push(item);
      this.#wake?.();
    } catch (thrown) {
      const { message } = RpcError.from(thrown);
      const text = `${this.#label}: an item cannot be decoded: ${message}`;
      this.#abandon(new RpcError("INTERNAL", text, { reason: "PROTOCOL", cause: thrown }));
    }
  }

  #abandon(reason: RpcError): void {
    if (this.#end !== undefined) return;
    this.#finish(reason);
    if (this.#exchange !== undefined) this.#requester.abandon(this.#exchange, reason);
  }

  #finish(error: RpcError | undefined): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#context.onCancel(undefined);
    this.#wake?.();
  }
}
