import { RpcError } from "@rpc/core";
import { type CallContext, noteCallError } from "@rpc/core/transport";
import { type ActionBody, readBody } from "../calls/body.ts";
import { errorIn, outputIn } from "../calls/reply.ts";
import type { Frames } from "../frames/words.ts";
import type { Exchange, ReplySink } from "./exchange.ts";
import type { Requester } from "./requester.ts";

interface StreamRequest {
  readonly label: string;
  readonly service: string;
  readonly body: Frames;
}

/** Items of a stream that arrived and were not read; beyond it the stream fails: MDP 0.2 has no way to hold a worker back. */
const MOST_UNREAD = 100_000;

/** A server stream over partial replies. The request leaves when the first item is asked for. */
export function openStream(
  input: AsyncIterable<unknown>,
  context: CallContext,
  requester: Requester,
  requestOf: (first: unknown) => StreamRequest,
): AsyncIterable<unknown> {
  return {
    [Symbol.asyncIterator]: () => readStream(input, context, requester, requestOf),
  };
}

async function* readStream(
  input: AsyncIterable<unknown>,
  context: CallContext,
  requester: Requester,
  requestOf: (first: unknown) => StreamRequest,
): AsyncGenerator {
  if (context.cancelReason !== undefined) throw context.cancelReason;
  let first: unknown;
  for await (const each of input) {
    first = each;
    break;
  }
  const inbox = new StreamInbox(context, requester);
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

/** Items between the socket and the reader. */
class StreamInbox implements ReplySink {
  readonly #context: CallContext;
  readonly #requester: Requester;
  readonly #items: { readonly value: unknown }[] = [];
  #label = "";
  #exchange: Exchange | undefined = undefined;
  #end: { readonly error: RpcError | undefined } | undefined = undefined;
  #wake: (() => void) | undefined = undefined;

  constructor(context: CallContext, requester: Requester) {
    this.#context = context;
    this.#requester = requester;
  }

  start({ label, service, body }: StreamRequest): void {
    this.#label = label;
    this.#exchange = this.#requester.request(label, service, body, this.#context.deadline, this);
    this.#context.onCancel({ cancelled: (reason) => this.#abandon(reason) });
  }

  /** The next item, or undefined at the end; rejects with the error that ended it. */
  async next(): Promise<{ readonly value: unknown } | undefined> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) return item;
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
    if (this.#items.length < MOST_UNREAD) return this.#take(frames, false);
    const text = `${this.#label}: ${MOST_UNREAD} items wait to be read, and MDP 0.2 cannot hold a worker back`;
    this.#abandon(new RpcError("RESOURCE_EXHAUSTED", text, { reason: "maxUnreadItems" }));
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
      this.#items.push({ value: outputIn(body, this.#context.method) });
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
