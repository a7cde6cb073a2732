import {
  type AnnouncedLimits,
  BINDINGS,
  Body,
  CALL_KINDS,
  type CallBody,
  type ChallengeBody,
  type CreditBody,
  type EndBody,
  type Envelope,
  type FailBody,
  type HelloBody,
  type ItemBody,
  type ItemExtra,
  type NotifyBody,
  OUTCOMES,
  type ProgressBody,
  type ProofBody,
  RESUME_REFUSALS,
  type ResultBody,
  RpcError,
  type SettleBody,
  type WelcomeBody,
} from "@rpc/core/transport";
import { writeLog, writeMetadata, writePayload } from "./envelope-parts.ts";
import type { NameWriter } from "./method-names.ts";
import { writeError } from "./wire-error.ts";
import type { ProtoWriter } from "./writer.ts";

/*
 * One function per body of docs/wire/envelope.md, fields ascending, defaults left out. The numbers are tags as they stand on the
 * wire: field number times 8 plus wire type (0 varint, 2 length-delimited).
 */

/** Writes the body's fields, without the envelope's own field in front; nothing for a bare acknowledgement. */
export function writeBody(envelope: Envelope, writer: ProtoWriter, names: NameWriter): void {
  switch (envelope.body) {
    case Body.Call:
      return writeCall(envelope, writer, names);
    case Body.Result:
      return writeResult(envelope, writer);
    case Body.Item:
      return writeItem(envelope, writer);
    case Body.Settle:
      return writeSettle(envelope, writer);
    case Body.Credit:
      return writeCredit(envelope, writer);
    case Body.Notify:
      return writeNotify(envelope, writer, names);
    case Body.Fail:
      return writeFail(envelope, writer);
    case Body.End:
      return writeEnd(envelope, writer);
    case Body.Cancel:
      writer.uint32(8).uint64(envelope.id);
      return writeText(0x12, envelope.reason, writer);
    case Body.Progress:
      return writeProgress(envelope, writer);
    case Body.Ping:
    case Body.Pong:
      if (envelope.token !== 0) writer.uint32(8).uint64(envelope.token);
      return undefined;
    case Body.Goodbye:
      if (envelope.error !== undefined) writeError(0x0a, envelope.error, writer);
      return writeFlag(0x10, envelope.sessionOver, writer);
    case Body.Drain:
      writeText(0x0a, envelope.reason, writer);
      return writeNumber(0x10, envelope.deadlineMs, writer);
    case Body.Hello:
      return writeHello(envelope, writer);
    case Body.Challenge:
      return writeChallenge(envelope, writer);
    case Body.Proof:
      return writeProof(envelope, writer);
    case Body.Welcome:
      return writeWelcome(envelope, writer);
    case Body.Compressed:
      writer.raw(envelope.data);
      return undefined;
    case 0:
      if (envelope.number === 0) return undefined;
      throw new RpcError("INTERNAL", `an envelope of unknown body ${envelope.number} cannot be sent`, {
        reason: "PROTOCOL",
      });
    default:
      return envelope satisfies never;
  }
}

function writeCall(call: CallBody, writer: ProtoWriter, names: NameWriter): void {
  writer.uint32(8).uint64(call.id);
  writeName(0x12, call.method, writer, names);
  if (call.kind !== "unary") writer.uint32(0x28).uint32(CALL_KINDS.indexOf(call.kind));
  if (call.payload !== undefined) writePayload(0x30, 0x3a, call.payload, writer);
  if (call.deadlineMs !== undefined) writer.uint32(0x40).uint32(wholeMs(call.deadlineMs));
  if (call.idempotencyKey !== undefined) writeText(0x4a, call.idempotencyKey, writer);
  if (call.metadata !== undefined) writeMetadata(0x52, call.metadata, writer);
  if (call.credits !== undefined) writer.uint32(0x58).uint32(call.credits);
  if (call.parentId !== 0) writer.uint32(0x60).uint64(call.parentId);
  if (call.depth !== 0) writer.uint32(0x68).uint32(call.depth);
  if (call.observed) writer.uint32(0x70).bool(true);
  if (call.handleId !== "") writer.uint32(0x7a).string(call.handleId);
}

function writeResult(result: ResultBody, writer: ProtoWriter): void {
  writer.uint32(8).uint64(result.id);
  if (result.payload !== undefined) writePayload(0x10, 0x1a, result.payload, writer);
  if (result.metadata !== undefined) writeMetadata(0x22, result.metadata, writer);
}

function writeItem(item: ItemBody, writer: ProtoWriter): void {
  writer.uint32(8).uint64(item.id);
  if (item.seq !== 0) writer.uint32(0x10).uint64(item.seq);
  if (item.payload !== undefined) writePayload(0x18, 0x22, item.payload, writer);
  if (item.extra !== undefined) writeExtra(item.extra, writer);
}

function writeExtra(extra: ItemExtra, writer: ProtoWriter): void {
  if (extra.delivery !== 0) writer.uint32(0x28).uint64(extra.delivery);
  if (extra.attempt !== 0) writer.uint32(0x30).uint32(extra.attempt);
  if (extra.lost !== 0) writer.uint32(0x38).uint64(extra.lost);
  writeText(0x42, extra.topic, writer);
  if (extra.metadata !== undefined) writeMetadata(0x4a, extra.metadata, writer);
}

function writeSettle(settle: SettleBody, writer: ProtoWriter): void {
  writer.uint32(8).uint64(settle.id);
  if (settle.delivery !== 0) writer.uint32(0x10).uint64(settle.delivery);
  if (settle.outcome !== "ack") writer.uint32(0x18).uint32(OUTCOMES.indexOf(settle.outcome));
  if (settle.error !== undefined) writeError(0x22, settle.error, writer);
  if (settle.payload !== undefined) writePayload(0x28, 0x32, settle.payload, writer);
}

function writeCredit(credit: CreditBody, writer: ProtoWriter): void {
  writer.uint32(8).uint64(credit.id);
  writeNumber(0x10, credit.credits, writer);
}

function writeNotify(notify: NotifyBody, writer: ProtoWriter, names: NameWriter): void {
  writeName(0x0a, notify.method, writer, names);
  if (notify.payload !== undefined) writePayload(0x20, 0x2a, notify.payload, writer);
  if (notify.metadata !== undefined) writeMetadata(0x32, notify.metadata, writer);
  writeNumber(0x38, notify.depth, writer);
}

function writeFail(fail: FailBody, writer: ProtoWriter): void {
  writer.uint32(8).uint64(fail.id);
  writeError(0x12, fail.error, writer);
  if (fail.metadata !== undefined) writeMetadata(0x1a, fail.metadata, writer);
}

function writeEnd(end: EndBody, writer: ProtoWriter): void {
  writer.uint32(8).uint64(end.id);
  if (end.error !== undefined) writeError(0x12, end.error, writer);
  if (end.metadata !== undefined) writeMetadata(0x1a, end.metadata, writer);
}

function writeProgress(progress: ProgressBody, writer: ProtoWriter): void {
  writer.uint32(8).uint64(progress.id);
  if (progress.payload !== undefined) writePayload(0x10, 0x1a, progress.payload, writer);
  if (progress.log !== undefined) writeLog(0x22, progress.log, writer);
}

function writeHello(hello: HelloBody, writer: ProtoWriter): void {
  if (hello.versions.length > 0) writer.uint32(0x0a).uint32s(hello.versions);
  writeBytes(0x12, hello.nonce, writer);
  writeBytes(0x1a, hello.instanceId, writer);
  writeText(0x22, hello.principal, writer);
  for (const mechanism of hello.mechanisms) writer.uint32(0x2a).string(mechanism);
  if (hello.binding !== "none") writer.uint32(0x30).uint32(BINDINGS.indexOf(hello.binding));
  if (hello.limits !== undefined) writeLimits(0x3a, hello.limits, writer);
  for (const feature of hello.features) writer.uint32(0x42).string(feature);
  if (hello.resume !== undefined) {
    writer.uint32(0x4a).fork();
    writeBytes(0x0a, hello.resume.sessionId, writer);
    if (hello.resume.received !== 0) writer.uint32(0x10).uint64(hello.resume.received);
    writer.ldelim();
  }
  writeText(0x52, hello.software, writer);
}

function writeChallenge(challenge: ChallengeBody, writer: ProtoWriter): void {
  writeNumber(0x08, challenge.version, writer);
  writeBytes(0x12, challenge.nonce, writer);
  writeBytes(0x1a, challenge.instanceId, writer);
  writeText(0x22, challenge.mechanism, writer);
  if (challenge.binding !== "none") writer.uint32(0x28).uint32(BINDINGS.indexOf(challenge.binding));
  if (challenge.limits !== undefined) writeLimits(0x32, challenge.limits, writer);
  for (const feature of challenge.features) writer.uint32(0x3a).string(feature);
}

function writeProof(proof: ProofBody, writer: ProtoWriter): void {
  writeBytes(0x0a, proof.mac, writer);
  writeText(0x12, proof.token, writer);
}

function writeWelcome(welcome: WelcomeBody, writer: ProtoWriter): void {
  writeBytes(0x0a, welcome.mac, writer);
  writeBytes(0x12, welcome.sessionId, writer);
  writeFlag(0x18, welcome.resumed, writer);
  if (welcome.received !== undefined) writer.uint32(0x20).uint64(welcome.received);
  if (welcome.refusal !== "not-asked") writer.uint32(0x28).uint32(RESUME_REFUSALS.indexOf(welcome.refusal));
  writeNumber(0x30, welcome.resumeWindowMs, writer);
}

function writeLimits(tag: number, limits: AnnouncedLimits, writer: ProtoWriter): void {
  writer.uint32(tag).fork();
  writeNumber(0x08, limits.maxMessageBytes, writer);
  writeNumber(0x10, limits.maxCalls, writer);
  writeNumber(0x18, limits.heartbeatMs, writer);
  writeNumber(0x20, limits.aliveMs, writer);
  writer.ldelim();
}

function writeName(tag: number, name: string, writer: ProtoWriter, names: NameWriter): void {
  if (name !== "") names.write(name, writer.uint32(tag));
}

/** A limit or a duration; beyond 32 bits it means "very much", and so does the largest number. */
function writeNumber(tag: number, value: number, writer: ProtoWriter): void {
  if (value !== 0) writer.uint32(tag).uint32(wholeMs(value));
}

function writeText(tag: number, value: string, writer: ProtoWriter): void {
  if (value !== "") writer.uint32(tag).string(value);
}

function writeBytes(tag: number, value: Uint8Array, writer: ProtoWriter): void {
  if (value.length > 0) writer.uint32(tag).bytes(value);
}

function writeFlag(tag: number, value: boolean, writer: ProtoWriter): void {
  if (value) writer.uint32(tag).bool(true);
}

/** Time that remains is rarely whole; rounded up, the receiver does not give up before the sender. */
function wholeMs(value: number): number {
  if (value >>> 0 === value) return value;
  return Math.min(0xffff_ffff, Math.max(0, Math.ceil(value)));
}
