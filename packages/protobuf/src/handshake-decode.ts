import {
  type AnnouncedLimits,
  type Binding,
  BINDINGS,
  Body,
  type ChallengeBody,
  type CompressedBody,
  type GoodbyeBody,
  type HelloBody,
  type PingBody,
  type ProofBody,
  RESUME_REFUSALS,
  type ResumeRefusal,
  type ResumeRequest,
  type WelcomeBody,
  type WireError,
} from "@rpc/core/transport";
import { readWord } from "./envelope-parts.ts";
import { parseError } from "./parse-error.ts";
import type { ProtoReader } from "./reader.ts";
import { readError } from "./wire-error.ts";

/** Reads the bodies that are about the session itself. They come once or seldom, so this is written for its reader. */
export function readHello(reader: ProtoReader, end: number): HelloBody {
  const versions: number[] = [];
  const mechanisms: string[] = [];
  const features: string[] = [];
  let nonce: Uint8Array = new Uint8Array(0);
  let instanceId: Uint8Array = new Uint8Array(0);
  let principal = "";
  let binding: Binding = "none";
  let limits: AnnouncedLimits | undefined;
  let resume: ResumeRequest | undefined;
  let software = "";
  eachField(reader, end, (tag) => {
    if (tag === 0x08) versions.push(countedUint32(reader));
    else if (tag === 0x0a) readPackedUint32s(reader, versions);
    else if (tag === 0x12) nonce = reader.bytes();
    else if (tag === 0x1a) instanceId = reader.bytes();
    else if (tag === 0x22) principal = reader.string();
    else if (tag === 0x2a) mechanisms.push(countedString(reader));
    else if (tag === 0x30) binding = readWord(reader, BINDINGS, "binding");
    else if (tag === 0x3a) limits = readLimits(reader);
    else if (tag === 0x4a) resume = readResume(reader);
    else if (tag === 0x42) features.push(countedString(reader));
    else if (tag === 0x52) software = reader.string();
    else return false;
    return true;
  });
  return {
    body: Body.Hello,
    versions,
    nonce,
    instanceId,
    principal,
    mechanisms,
    binding,
    limits,
    features,
    resume,
    software,
  };
}

/** See {@link readHello}. */
export function readChallenge(reader: ProtoReader, end: number): ChallengeBody {
  const features: string[] = [];
  let version = 0;
  let nonce: Uint8Array = new Uint8Array(0);
  let instanceId: Uint8Array = new Uint8Array(0);
  let mechanism = "";
  let binding: Binding = "none";
  let limits: AnnouncedLimits | undefined;
  eachField(reader, end, (tag) => {
    if (tag === 0x08) version = readUint32(reader);
    else if (tag === 0x12) nonce = reader.bytes();
    else if (tag === 0x1a) instanceId = reader.bytes();
    else if (tag === 0x22) mechanism = reader.string();
    else if (tag === 0x28) binding = readWord(reader, BINDINGS, "binding");
    else if (tag === 0x32) limits = readLimits(reader);
    else if (tag === 0x3a) features.push(countedString(reader));
    else return false;
    return true;
  });
  return { body: Body.Challenge, version, nonce, instanceId, mechanism, binding, limits, features };
}

/** See {@link readHello}. */
export function readProof(reader: ProtoReader, end: number): ProofBody {
  let mac: Uint8Array = new Uint8Array(0);
  let token = "";
  eachField(reader, end, (tag) => {
    if (tag === 0x0a) mac = reader.bytes();
    else if (tag === 0x12) token = reader.string();
    else return false;
    return true;
  });
  return { body: Body.Proof, mac, token };
}

/** See {@link readHello}. */
export function readWelcome(reader: ProtoReader, end: number): WelcomeBody {
  let mac: Uint8Array = new Uint8Array(0);
  let sessionId: Uint8Array = new Uint8Array(0);
  let resumed = false;
  let received: number | undefined;
  let refusal: ResumeRefusal = "not-asked";
  let resumeWindowMs = 0;
  eachField(reader, end, (tag) => {
    if (tag === 0x0a) mac = reader.bytes();
    else if (tag === 0x12) sessionId = reader.bytes();
    else if (tag === 0x18) resumed = reader.bool();
    else if (tag === 0x20) received = reader.uint64Number();
    else if (tag === 0x28) refusal = readWord(reader, RESUME_REFUSALS, "refusal");
    else if (tag === 0x30) resumeWindowMs = readUint32(reader);
    else return false;
    return true;
  });
  return { body: Body.Welcome, mac, sessionId, resumed, received, refusal, resumeWindowMs };
}

/** See {@link readHello}. */
export function readPing(reader: ProtoReader, end: number, body: PingBody["body"]): PingBody {
  let token = 0;
  eachField(reader, end, (tag) => {
    if (tag !== 0x08) return false;
    token = reader.uint64Number();
    return true;
  });
  return { body, token };
}

/** See {@link readHello}. */
export function readGoodbye(reader: ProtoReader, end: number): GoodbyeBody {
  let error: WireError | undefined;
  let sessionOver = false;
  eachField(reader, end, (tag) => {
    if (tag === 0x0a) error = readError(reader);
    else if (tag === 0x10) sessionOver = reader.bool();
    else return false;
    return true;
  });
  return { body: Body.Goodbye, error, sessionOver };
}

/** The bytes are the field itself, and stay in the message they came in. */
export function readCompressed(reader: ProtoReader, end: number): CompressedBody {
  const { buf, pos } = reader;
  reader.pos = end;
  return { body: Body.Compressed, data: new Uint8Array(buf.buffer, buf.byteOffset + pos, end - pos) };
}

/** A number that the field promises to be of 32 bits. A longer or negative one is refused, not cut. */
export function readUint32(reader: ProtoReader): number {
  const value = reader.uint64Number();
  if (value > 0xffff_ffff) throw parseError(`${value} does not fit 32 bits`);
  return value;
}

function readResume(reader: ProtoReader): ResumeRequest {
  let sessionId: Uint8Array = new Uint8Array(0);
  let received = 0;
  eachField(reader, reader.lengthEnd(), (tag) => {
    if (tag === 0x0a) sessionId = reader.bytes();
    else if (tag === 0x10) received = reader.uint64Number();
    else return false;
    return true;
  });
  return { sessionId, received };
}

function readLimits(reader: ProtoReader): AnnouncedLimits {
  let maxMessageBytes = 0;
  let maxCalls = 0;
  let heartbeatMs = 0;
  let aliveMs = 0;
  eachField(reader, reader.lengthEnd(), (tag) => {
    if (tag === 0x08) maxMessageBytes = readUint32(reader);
    else if (tag === 0x10) maxCalls = readUint32(reader);
    else if (tag === 0x18) heartbeatMs = readUint32(reader);
    else if (tag === 0x20) aliveMs = readUint32(reader);
    else return false;
    return true;
  });
  return { maxMessageBytes, maxCalls, heartbeatMs, aliveMs };
}

/** Calls `read` with each tag; a tag that it does not know is skipped. */
function eachField(reader: ProtoReader, end: number, read: (tag: number) => boolean): void {
  while (reader.pos < end) {
    const tag = reader.tag();
    if (!read(tag)) reader.skipType(tag & 7, tag >>> 3);
  }
  reader.checkEnd(end);
}

function readPackedUint32s(reader: ProtoReader, into: number[]): void {
  const end = reader.lengthEnd();
  while (reader.pos < end) into.push(countedUint32(reader));
  reader.checkEnd(end);
}

function countedUint32(reader: ProtoReader): number {
  reader.countElement();
  return readUint32(reader);
}

function countedString(reader: ProtoReader): string {
  reader.countElement();
  return reader.string();
}
