import { type Capabilities, type Clock, type CloseOptions, RpcError, type Transport } from "@rpc/core";
import { type CallContext, gapOf, noteCallError, shown } from "@rpc/core/transport";
import { bytesOf, textOf } from "../calls/body.ts";
import { capabilitiesOf } from "../calls/capabilities.ts";
import { refused, wholeNumber } from "../calls/errors.ts";
import { metaTextOf } from "../calls/meta.ts";
import type { Frames } from "../frames/words.ts";
import { ForwarderTopicPort } from "../pubsub/topic-port.ts";
import { checkedEndpoint } from "../worker/options.ts";
import { clientSettings, type ClientSettings, type MdpTransportOptions } from "./options.ts";
import { openStream, type UnreadLimits } from "./open-stream.ts";
import { PendingCall } from "./pending-call.ts";
import { type MdpClientCounters, Requester } from "./requester.ts";

/**
 * Calls services behind a Majordomo broker: `tcp://host:40410`, or several brokers in the order in which they are tried. Creating it connects
 * to nothing. Throws INVALID_ARGUMENT for an endpoint or an option that cannot be right.
 */
export function createMdpTransport(
  endpoint: string | readonly string[],
  options: MdpTransportOptions = {},
): MdpTransport {
  return new NativeTransport(clientSettings(endpoint, options), options);
}

/** What `createMdpTransport` gives. */
export interface MdpTransport extends Transport {
  readonly counters: MdpClientCounters;
}

class NativeTransport implements MdpTransport {
  readonly capabilities: Capabilities;
  readonly clock: Clock;
  readonly topicPort: ForwarderTopicPort | undefined;
  readonly #requester: Requester;
  readonly #service: MdpTransportOptions["service"];
  readonly #isFlat: boolean;
  readonly #isBinary: boolean;
  readonly #maxMetadataBytes: number;
  readonly #unread: UnreadLimits;
  #closed: Promise<void> | undefined = undefined;

  constructor(settings: ClientSettings, options: MdpTransportOptions) {
    this.clock = settings.clock;
    const capabilities = capabilitiesOf(settings.dialect === "mdp02");
    this.capabilities = options.events === undefined ? capabilities : { ...capabilities, topics: "volatile" };
    this.#requester = new Requester(settings);
    this.#service = options.service;
    this.#isFlat = options.input === "flat";
    this.#isBinary = options.body === "protobuf";
    this.#maxMetadataBytes = wholeNumber("maxMetadataBytes", options.maxMetadataBytes, 16 * 1024);
    this.#unread = {
      items: wholeNumber("maxUnreadItems", options.maxUnreadItems, 100_000, 1),
      bytes: wholeNumber("maxUnreadBytes", options.maxUnreadBytes, 64 * 1024 * 1024, 1),
    };
    const { clock, credentials, linkHeartbeatMs } = settings;
    const port = { clock, credentials, linkHeartbeatMs, maxMetadataBytes: this.#maxMetadataBytes };
    this.topicPort =
      options.events === undefined ? undefined : new ForwarderTopicPort(checkedEndpoint(options.events), port);
  }

  get endpoint(): string {
    return this.#requester.endpoint;
  }

  get isDown(): boolean {
    return this.#requester.isDown;
  }

  get counters(): MdpClientCounters {
    return this.#requester.counters;
  }

  call(input: unknown, context: CallContext): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = new PendingCall(context, this.#requester, this.#maxMetadataBytes, resolve, reject);
      if (context.cancelReason !== undefined) return call.failed(context.cancelReason);
      try {
        call.start(this.#serviceOf(context), this.#bodyOf(input, context));
      } catch (thrown) {
        call.failed(unsendable(call.label, thrown));
      }
    });
  }

  stream(input: AsyncIterable<unknown>, context: CallContext): AsyncIterable<unknown> {
    const { method } = context;
    const label = shown(method.name, 200);
    const { serverStream, clientStream } = this.capabilities;
    const gap = gapOf(method.kind === "serverStream" ? serverStream : clientStream);
    if (gap !== undefined) return refusedStream(`${label}: ${gap}`);
    return openStream(input, context, this.#requester, this.#unread, (first) => ({
      label,
      service: this.#serviceOf(context),
      body: this.#bodyOf(first, context),
    }));
  }

  /** Asks the broker whether there is anybody at its own service `mmi.service`: an answer of any kind will do. */
  async ready(): Promise<void> {
    const { clock, connectTimeoutMs } = this.#requester.settings;
    await new Promise<void>((resolve, reject) => {
      this.#requester.request("ready", "mmi.service", [Buffer.from("mmi.service")], clock.now() + connectTimeoutMs, {
        partial: () => undefined,
        final: () => resolve(),
        failed: reject,
      });
    });
  }

  close(options: CloseOptions = {}): Promise<void> {
    this.#closed ??= this.#close(options.drainMs ?? 0);
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(drainMs: number): Promise<void> {
    this.topicPort?.close();
    await this.#requester.drain(drainMs);
    this.#requester.destroy();
  }

  #serviceOf({ method }: CallContext): string {
    const service = this.#service;
    if (typeof service === "string") return service;
    return service === undefined ? method.contract : service(method);
  }

  #bodyOf(input: unknown, context: CallContext): Frames {
    const { method, deadline } = context;
    const remainingMs = deadline === undefined ? undefined : Math.max(1, Math.ceil(deadline - this.clock.now()));
    const sent = remainingMs !== undefined && Number.isFinite(remainingMs) ? remainingMs : undefined;
    const meta = metaTextOf(context, sent, this.#maxMetadataBytes);
    const bytes = this.#isBinary ? bytesOf(method.input, input) : undefined;
    if (bytes !== undefined) {
      const rest = meta === "" ? "" : `,${meta}`;
      return [Buffer.from(method.name), Buffer.from(`{"$meta":{"body":"protobuf"${rest}}}`), bytes];
    }
    const text = textOf(method.input.codec, input);
    return [Buffer.from(method.name), Buffer.from(this.#isFlat ? flat(text, meta) : withArgs(text, meta))];
  }
}

function withArgs(text: string, meta: string): string {
  if (text === "") return `{"$meta":{${meta}}}`;
  return meta === "" ? `{"args":${text}}` : `{"args":${text},"$meta":{${meta}}}`;
}

/** The input's own members, and beside them what ours understand and others leave alone. */
function flat(text: string, meta: string): string {
  if (text === "" || text === "{}") return meta === "" ? "{}" : `{"$meta":{${meta}}}`;
  if (!text.startsWith("{")) throw refused("with the option input: flat an input is a record");
  return meta === "" ? text : `{"$meta":{${meta}},${text.slice(1)}`;
}

/** An error of this end's own, before anything was sent. */
function unsendable(label: string, thrown: unknown): RpcError {
  const { code, message, reason, details } = RpcError.from(thrown);
  const text = message.startsWith(label) ? message : `${label}: ${message}`;
  return new RpcError(code, text, { reason, details, delivered: "no", cause: thrown });
}

function refusedStream(message: string): AsyncIterable<never> {
  const next = (): Promise<never> =>
    Promise.reject(noteCallError(new RpcError("UNIMPLEMENTED", message, { reason: "CAPABILITY", delivered: "no" })));
  return { [Symbol.asyncIterator]: () => ({ next }) };
}
