import { type Counts, type Envelope, type EnvelopeCodec, RpcError } from "@rpc/core/transport";
import { readBody } from "./envelope-decode.ts";
import { writeBody } from "./envelope-encode.ts";
import { NameReader, NameWriter } from "./method-names.ts";
import { parseError } from "./parse-error.ts";
import { ProtoReader } from "./reader.ts";
import { ShortViews } from "./short-views.ts";
import { OWN_BUFFER_BYTES, ProtoWriter } from "./writer.ts";

/**
 * Room in front of a body: for `ack` (a tag, and a count of at most eight bytes), `ack_requested` (two bytes), and the field that
 * holds the body (a tag of at most two bytes and a length of at most five).
 */
const HEAD_BYTES = 18;
/** Entries of metadata, features and the like in one envelope; its payload has its own limit. */
const MAX_ENVELOPE_ELEMENTS = 10_000;
const LENGTH_DELIMITED = 2;
/** Tags of fields 1 and 2, which belong to the envelope itself. */
const ACK = 0x08;
const ACK_REQUESTED = 0x10;
/** From here on fields are bodies. */
const FIRST_BODY = 3;

/**
 * A codec for the envelopes of `rpc/v1/envelope.proto`, written out by hand. It holds one buffer, of at most 256 KiB between
 * two messages, and two small tables of method names, so that one instance may serve all sessions of a process.
 */
export function createProtobufEnvelopeCodec(): EnvelopeCodec {
  return new ProtobufEnvelopeCodec();
}

class ProtobufEnvelopeCodec implements EnvelopeCodec {
  readonly name = "protobuf";
  ownsLast = false;
  #writer: ProtoWriter | undefined = new ProtoWriter();
  readonly #views = new ShortViews();
  readonly #reader = new ProtoReader(MAX_ENVELOPE_ELEMENTS);
  readonly #namesOut = new NameWriter();
  readonly #namesIn = new NameReader();

  encode(envelope: Envelope, counts?: Readonly<Counts>): Uint8Array {
    // Taken away while in use: a getter in a payload may make a call of its own, which comes back in here.
    const writer = this.#writer ?? new ProtoWriter();
    this.#writer = undefined;
    try {
      writer.clear(HEAD_BYTES);
      writeBody(envelope, writer, this.#namesOut);
      const end = writer.pos;
      let start = HEAD_BYTES;
      if (envelope.body !== 0) start = writeHead(envelope.body, end - HEAD_BYTES, writer.buf);
      if (counts !== undefined) start = writeCounts(counts, start, writer.buf);
      if (start === end) throw new RpcError("INTERNAL", "an envelope without body and ack cannot be sent");
      this.ownsLast = end - start >= OWN_BUFFER_BYTES;
      return this.ownsLast ? writer.handOver(start, end) : this.#views.view(writer, start, end);
    } finally {
      this.#writer = writer;
    }
  }

  decode(bytes: Uint8Array, counts?: Counts): Envelope {
    const reader = this.#reader;
    try {
      return readEnvelope(reader.reset(bytes), this.#namesIn, counts);
    } catch (error) {
      throw protocolError(error);
    } finally {
      // The reader must not keep the last message alive.
      reader.reset();
    }
  }
}

/** The codec that everybody may share. */
export const protobufEnvelopeCodec: EnvelopeCodec = createProtobufEnvelopeCodec();

/** Puts tag and length right before the body, which starts at HEAD_BYTES, and gives where they start. */
function writeHead(body: number, length: number, buf: Uint8Array): number {
  let lengthBytes = 1;
  for (let rest = length >>> 7; rest !== 0; rest >>>= 7) lengthBytes++;
  const tag = (body << 3) | LENGTH_DELIMITED;
  const start = HEAD_BYTES - lengthBytes - (tag < 128 ? 1 : 2);
  let at = start;
  if (tag >= 128) {
    buf[at++] = (tag & 127) | 128;
    buf[at++] = tag >>> 7;
  } else {
    buf[at++] = tag;
  }
  let rest = length;
  for (; at < HEAD_BYTES - 1; rest >>>= 7) buf[at++] = (rest & 127) | 128;
  buf[at] = rest;
  return start;
}

/** Puts `ack` and `ack_requested` right before the field that starts at `end`, and gives where they start. */
function writeCounts({ ack, ackRequested }: Readonly<Counts>, end: number, buf: Uint8Array): number {
  let start = end;
  if (ackRequested) {
    buf[--start] = 1;
    buf[--start] = ACK_REQUESTED;
  }
  if (ack < 0) return start;
  if (ack > Number.MAX_SAFE_INTEGER) throw new RpcError("INTERNAL", `an ack of ${ack} is beyond 2^53 - 1`);
  let at = start - 1;
  for (let rest = ack; rest > 127; rest = shifted(rest)) at--;
  start = at - 1;
  buf[start] = ACK;
  let rest = ack;
  for (; rest > 127; rest = shifted(rest)) buf[at++] = (rest & 127) | 128;
  buf[at] = rest;
  return start;
}

/** Without its lowest seven bits, also beyond 32 bits. */
function shifted(value: number): number {
  return value > 0xffff_ffff ? Math.floor(value / 128) : value >>> 7;
}

function readEnvelope(reader: ProtoReader, names: NameReader, counts: Counts | undefined): Envelope {
  let envelope: Envelope | undefined;
  if (counts !== undefined) {
    counts.ack = -1;
    counts.ackRequested = false;
  }
  if (reader.len === 0) throw parseError("the message is empty");
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    const number = tag >>> 3;
    if (number < FIRST_BODY || (tag & 7) !== LENGTH_DELIMITED) {
      if (tag === ACK) {
        const ack = reader.uint64Number();
        if (counts !== undefined) counts.ack = ack;
      } else if (tag === ACK_REQUESTED) {
        const isRequested = reader.bool();
        if (counts !== undefined) counts.ackRequested = isRequested;
      } else {
        reader.skipType(tag & 7, number);
      }
      continue;
    }
    const body = readBody(number, reader, reader.lengthEnd(), names);
    if (envelope === undefined || envelope.body === 0) envelope = body;
    else if (body.body !== 0) throw parseError(`there are more bytes behind the envelope: a second body, ${number}`);
  }
  return envelope ?? { body: 0, number: 0 };
}

function protocolError(error: unknown): RpcError {
  const cause = RpcError.from(error);
  return new RpcError("INTERNAL", `no envelope: ${cause.message}`, { reason: "PROTOCOL", cause });
}
