import { RpcError } from "@rpc/core";
import {
  Body,
  type CallBody,
  type Channel,
  type Counts,
  type Envelope,
  type EnvelopeCodec,
  type Payload,
  ValuePayload,
} from "@rpc/core/transport";
import { check, fail } from "./assert.ts";
import { createGate } from "./gate.ts";
import { challengeEnvelope, helloEnvelope, welcomeEnvelope } from "./raw-handshake.ts";

type BodyNumber = Envelope["body"];
// Ping and Pong share one type, whose body is either number: it is found by what the number may be.
type EnvelopeOf<Number extends BodyNumber> = Envelope extends infer Each
  ? Each extends { readonly body: infer Body }
    ? Number extends Body
      ? Each
      : never
    : never
  : never;

/** A peer that says what it is told to, envelope by envelope, and keeps to no rule. */
export interface RawPeer {
  /** Everything that arrived, in order. */
  readonly received: readonly Envelope[];
  /** `counts` is what the envelope says about acknowledgement; by default nothing. */
  send(envelope: Envelope, counts?: Counts): void;
  /** Sends bytes that need not be an envelope. */
  sendBytes(bytes: Uint8Array): void;
  /** The bytes of an envelope, to be spoiled. */
  encode(envelope: Envelope): Uint8Array;
  /** The bytes of an envelope of a handshake as they arrived. */
  bytesOf(envelope: Envelope): Uint8Array;
  /** The last acknowledgement that arrived; -1: none. */
  readonly acknowledged: number;
  /** The next envelope of this body that was not given out yet. */
  next<Number extends BodyNumber>(body: Number): Promise<EnvelopeOf<Number>>;
  /** How many envelopes of this body arrived so far. */
  count(body: BodyNumber): number;
  /** Opens the session as the one that dialed. */
  greet(): Promise<void>;
  /** Opens the session as the one that was dialed. */
  welcome(): Promise<void>;
  /** Leaves everything that comes from now on unread, as a peer that has stopped does. */
  pauseReading(): void;
  /** Ends the channel as a peer does that says goodbye. */
  leave(): void;
  /** Ends the channel without a word: the other end cannot know whether this one still reads. */
  close(): void;
  /** Whether the other end has ended the channel. */
  readonly isClosed: boolean;
  readonly closed: Promise<RpcError>;
}

/** A raw peer on an end of a channel, which nobody has opened yet. */
export function createRawPeer(channel: Channel, codec: EnvelopeCodec): RawPeer {
  const received: Envelope[] = [];
  const asArrived = new Map<Envelope, Uint8Array>();
  const counts: Counts = { ack: -1, ackRequested: false };
  let acknowledged = -1;
  const waiting: { readonly body: BodyNumber; readonly resolve: (envelope: Envelope) => void }[] = [];
  const unread: Envelope[] = [];
  const end = createGate<RpcError>();
  channel.open({
    message: (bytes) => {
      const envelope = codec.decode(bytes, counts);
      acknowledged = Math.max(acknowledged, counts.ack);
      received.push(envelope);
      // Proofs are made over the bytes themselves.
      if (envelope.body === Body.Hello || envelope.body === Body.Challenge) asArrived.set(envelope, bytes.slice());
      const waiter = waiting.findIndex((each) => each.body === envelope.body);
      if (waiter < 0) unread.push(envelope);
      else waiting.splice(waiter, 1)[0]?.resolve(envelope);
    },
    drained: () => undefined,
    closed: (reason) => end.open(reason),
  });

  async function next<Number extends BodyNumber>(body: Number): Promise<EnvelopeOf<Number>> {
    const found = unread.findIndex((each) => each.body === body);
    if (found >= 0) return unread.splice(found, 1)[0] as EnvelopeOf<Number>;
    const arrival = new Promise<Envelope>((resolve) => {
      waiting.push({ body, resolve });
    });
    const ended = end.passed.then((reason) =>
      fail(`the session ended while envelope ${body} was awaited: ${reason.message}`),
    );
    // The body number was compared above: the envelope is of that kind.
    return (await Promise.race([arrival, ended])) as EnvelopeOf<Number>;
  }

  const peer: RawPeer = {
    received,
    send: (envelope, said) => void channel.send(codec.encode(envelope, said)),
    sendBytes: (bytes) => void channel.send(bytes),
    encode: (envelope) => codec.encode(envelope).slice(),
    bytesOf: (envelope) => asArrived.get(envelope) ?? fail("the bytes of this envelope were not kept"),
    get acknowledged() {
      return acknowledged;
    },
    next,
    count: (body) => received.filter((each) => each.body === body).length,
    greet: async () => {
      peer.send(helloEnvelope());
      const challenge = await next(Body.Challenge);
      check(challenge.mechanism === "none", `the raw peer knows no proof, asked for was "${challenge.mechanism}"`);
      await next(Body.Welcome);
    },
    welcome: async () => {
      await next(Body.Hello);
      peer.send(challengeEnvelope());
      peer.send(welcomeEnvelope());
    },
    pauseReading: () => channel.pause?.(),
    leave: () => {
      peer.send({ body: Body.Goodbye, error: undefined, sessionOver: true });
      peer.close();
    },
    close: () => channel.close(new RpcError("UNAVAILABLE", "the raw peer has left", { reason: "PEER_LOST" })),
    get isClosed() {
      return end.isOpen;
    },
    closed: end.passed,
  };
  return peer;
}

/** A Call, with what most cases leave as it is. */
export function callEnvelope(id: number, method: string, parts: Partial<CallBody> = {}): CallBody {
  return {
    body: Body.Call,
    id,
    method,
    kind: "unary",
    payload: payload(null),
    deadlineMs: undefined,
    metadata: undefined,
    idempotencyKey: undefined,
    credits: undefined,
    depth: 0,
    parentId: 0,
    observed: false,
    handleId: "",
    ...parts,
  };
}

/** A Result with a plain JSON value. */
export function resultEnvelope(id: number, value: unknown): Envelope {
  return { body: Body.Result, id, payload: payload(value), metadata: undefined };
}

/** A Fail. */
export function failEnvelope(id: number, code: number, message: string): Envelope {
  const error = { code, message, reason: "", details: undefined, retryable: false, delivered: undefined, stack: "" };
  return { body: Body.Fail, id, error, metadata: undefined };
}

/** An Item of a stream. */
export function itemEnvelope(id: number, seq: number, value: unknown): Envelope {
  return { body: Body.Item, id, seq, payload: payload(value), extra: undefined };
}

/** The end of a stream. */
export function endEnvelope(id: number): Envelope {
  return { body: Body.End, id, error: undefined, metadata: undefined };
}

/** A plain JSON value as a payload. */
export function payload(value: unknown): Payload {
  return new ValuePayload(
    {
      format: "json",
      stringify: (each) => JSON.stringify(each ?? null),
      parse: (json) => JSON.parse(json),
      revive: (json) => json,
    },
    value,
  );
}
