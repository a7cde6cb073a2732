import { onTestFinished } from "vitest";
import { settled } from "./fake-clock.ts";
import { createMemoryTransport, type Handler, type MemoryTransport, RpcError } from "../src/index.ts";
import {
  Body,
  type CallBody,
  type Channel,
  type ChannelSink,
  createMemoryChannelPair,
  createSessionListener,
  createSessionTransport,
  EncodedPayload,
  type Envelope,
  jsonEnvelopeCodec,
  type SessionListener,
  type SessionListenerOptions,
  type SessionTransport,
  type SessionTransportOptions,
} from "../src/transport.ts";
import type { MemoryTransportOptions } from "../src/face/memory-transport.ts";
import { utf8Bytes } from "../src/tools/utf8.ts";

/** The error that a promise rejects with; anything but an RpcError fails the test. */
export async function failure(promise: PromiseLike<unknown>): Promise<RpcError> {
  let value: unknown;
  try {
    value = await promise;
  } catch (thrown) {
    if (thrown instanceof RpcError) return thrown;
    throw new Error("rejected with something that is no RpcError", { cause: thrown });
  }
  throw new Error(`did not reject, but gave ${JSON.stringify(value)}`);
}

/** The error that a function throws. */
export function thrownBy(run: () => unknown): RpcError {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof RpcError) return thrown;
    throw new Error("threw something that is no RpcError", { cause: thrown });
  }
  throw new Error("did not throw");
}

/** The RpcError that a function throws, or undefined when it throws nothing; anything else fails the test. */
export function refusalOf(run: () => unknown): RpcError | undefined {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof RpcError) return thrown;
    throw new Error("threw something that is no RpcError", { cause: thrown });
  }
  return undefined;
}

/** All values of a stream. */
export async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const value of values) list.push(value);
  return list;
}

/** A memory transport that is closed with its test. */
export function memory(router: Handler, options: MemoryTransportOptions = {}): MemoryTransport {
  const transport = createMemoryTransport(router, options);
  onTestFinished(() => transport.close());
  return transport;
}

/** A promise that a test settles by hand. */
export class Gate<T = void> {
  readonly #parts = Promise.withResolvers<T>();
  readonly promise: Promise<T> = this.#parts.promise;
  readonly open: (value: T) => void = this.#parts.resolve;
  readonly fail: (error: unknown) => void = this.#parts.reject;
}

/** A far end that speaks envelopes by hand, and may break every rule. */
export class RawPeer implements ChannelSink {
  readonly channel: Channel;
  readonly received: Envelope[] = [];
  readonly ends: RpcError[] = [];
  drains = 0;
  readonly #bytes = new Map<Envelope, Uint8Array>();
  /** Called with each envelope, for a peer that answers. */
  onEnvelope: ((envelope: Envelope) => void) | undefined = undefined;

  constructor(channel: Channel) {
    this.channel = channel;
    channel.open(this);
  }

  message(bytes: Uint8Array): void {
    const envelope = jsonEnvelopeCodec.decode(bytes);
    this.received.push(envelope);
    this.#bytes.set(envelope, bytes);
    this.onEnvelope?.(envelope);
  }

  drained(): void {
    this.drains++;
  }

  closed(reason: RpcError): void {
    this.ends.push(reason);
  }

  /** An envelope as it came. */
  bytesOf(envelope: Envelope): Uint8Array {
    return this.#bytes.get(envelope) ?? new Uint8Array(0);
  }

  /** An envelope as it will be sent. */
  encode(envelope: Envelope): Uint8Array {
    return jsonEnvelopeCodec.encode(envelope);
  }

  /** All envelopes of one kind that have come in. */
  of<B extends Envelope["body"]>(body: B): Extract<Envelope, { readonly body: B }>[] {
    return this.received.filter(
      (envelope): envelope is Extract<Envelope, { readonly body: B }> => envelope.body === body,
    );
  }

  /** Sends, and waits until everything that follows has happened. */
  async send(...envelopes: readonly Envelope[]): Promise<void> {
    for (const envelope of envelopes) this.channel.send(jsonEnvelopeCodec.encode(envelope));
    await settled();
  }

  /** Sends any JSON value, or text as it stands. */
  async sendJson(value: unknown): Promise<void> {
    this.channel.send(utf8Bytes(typeof value === "string" ? value : JSON.stringify(value)));
    await settled();
  }

  async sendBytes(bytes: Uint8Array): Promise<void> {
    this.channel.send(bytes);
    await settled();
  }

  /** The error in the Goodbye that this peer was told. */
  get goodbye(): { readonly code: number; readonly message: string; readonly reason: string } | undefined {
    return this.of(Body.Goodbye).at(-1)?.error;
  }

  /** Values of the results that have come in. */
  get results(): unknown[] {
    return this.of(Body.Result).map((result) =>
      result.payload instanceof EncodedPayload ? result.payload.json : undefined,
    );
  }

  /** Codes by number of the failures that have come in. */
  get failures(): [id: number, code: number, reason: string][] {
    return this.of(Body.Fail).map((fail) => [fail.id, fail.error.code, fail.error.reason]);
  }
}

/** Payload of a raw envelope. */
export function json(value: unknown): EncodedPayload {
  return new EncodedPayload("json", undefined, value);
}

/** A raw Call. */
export function call(id: number, method: string, fields: Partial<CallBody> = {}): CallBody {
  return {
    body: Body.Call,
    id,
    method,
    kind: "unary",
    payload: json(null),
    deadlineMs: undefined,
    metadata: undefined,
    idempotencyKey: undefined,
    credits: undefined,
    depth: 0,
    parentId: 0,
    observed: false,
    handleId: "",
    ...fields,
  };
}

export const HELLO = {
  body: Body.Hello,
  versions: [1],
  nonce: new Uint8Array(32).fill(1),
  instanceId: new Uint8Array(16).fill(7),
  principal: "",
  mechanisms: ["none"],
  binding: "none",
  limits: undefined,
  features: [],
  resume: undefined,
  software: "raw",
} satisfies Envelope;

export const CHALLENGE = {
  body: Body.Challenge,
  version: 1,
  nonce: new Uint8Array(32).fill(2),
  instanceId: new Uint8Array(16).fill(9),
  mechanism: "none",
  binding: "none",
  limits: undefined,
  features: [],
} satisfies Envelope;

export const WELCOME = {
  body: Body.Welcome,
  mac: new Uint8Array(0),
  sessionId: new Uint8Array(16).fill(5),
  resumed: false,
  received: undefined,
  refusal: "not-asked",
  resumeWindowMs: 0,
} satisfies Envelope;

/** A listener that channels are given to by hand. */
export function listen(
  handler: Handler,
  options: Partial<SessionListenerOptions> = {},
): SessionListener & { readonly errors: RpcError[] } {
  const errors: RpcError[] = [];
  const listener = createSessionListener({
    endpoint: "memory:server",
    codec: jsonEnvelopeCodec,
    handler,
    stopAccepting: () => Promise.resolve(),
    onError: (error) => errors.push(error),
    ...options,
  });
  onTestFinished(() => listener.close());
  return Object.assign(listener, { errors });
}

/** A raw peer that has dialed a listener but said nothing yet. */
export function dialRaw(listener: SessionListener): RawPeer {
  const [near, far] = createMemoryChannelPair();
  listener.accept(far);
  return new RawPeer(near);
}

/** A raw peer whose handshake is done. */
export async function rawClient(listener: SessionListener): Promise<RawPeer> {
  const peer = dialRaw(listener);
  await peer.send(HELLO);
  return peer;
}

/** A transport to a server that is played by hand. */
export function dialTo(
  options: Partial<SessionTransportOptions> = {},
  greet = true,
): { readonly transport: SessionTransport; readonly peers: RawPeer[]; readonly errors: RpcError[] } {
  const peers: RawPeer[] = [];
  const errors: RpcError[] = [];
  const transport = createSessionTransport({
    endpoint: "memory:raw",
    codec: jsonEnvelopeCodec,
    dial: () => {
      const [near, far] = createMemoryChannelPair();
      const peer = new RawPeer(far);
      if (greet) {
        peer.onEnvelope = (envelope) => {
          if (envelope.body === Body.Hello) void peer.send(CHALLENGE, WELCOME); // Settles by itself.
        };
      }
      peers.push(peer);
      return Promise.resolve(near);
    },
    onError: (error) => errors.push(error),
    ...options,
  });
  onTestFinished(() => transport.close());
  return { transport, peers, errors };
}
