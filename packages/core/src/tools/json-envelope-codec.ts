import {
  BINDINGS,
  Body,
  CALL_KINDS,
  type Envelope,
  type ItemExtra,
  type MetadataEntries,
  OUTCOMES,
  RESUME_REFUSALS,
  type ResumeRequest,
  type WireError,
} from "../words/envelope.ts";
import type { Counts, EnvelopeCodec } from "../words/envelope-codec.ts";
import { EncodedPayload, type Payload } from "../words/payload.ts";
import { base64FromBytes } from "./bytes.ts";
import { brokenEnvelope, EnvelopeFields } from "./json-envelope-fields.ts";
import { payloadBytes } from "./payloads.ts";
import { readUtf8, utf8Bytes } from "./utf8.ts";

/**
 * Envelopes as JSON text, for browsers, for debugging, and where no protobuf is at hand. One object with the body's number under `b`
 * and its fields by the names of envelope.proto; fields that hold their default are left out. A JSON payload stands inside as it is,
 * a protobuf payload as base64. The table is in docs/wire/envelope.md.
 */
export const jsonEnvelopeCodec: EnvelopeCodec = {
  name: "json",
  // Every message is encoded into an array of its own.
  ownsLast: true,
  encode: (envelope, counts) => utf8Bytes(withCounts(textOf(envelope), counts)),
  decode: (bytes, counts) => {
    let json: unknown;
    try {
      json = JSON.parse(readUtf8(bytes));
    } catch (thrown) {
      throw brokenEnvelope("is not JSON", thrown);
    }
    const fields = new EnvelopeFields(json);
    const ack = fields.optionalNumber("ack") ?? -1;
    const ackRequested = fields.flag("ackRequested");
    if (counts !== undefined) {
      counts.ack = ack;
      counts.ackRequested = ackRequested;
    }
    return envelopeOf(fields);
  },
};

const PAYLOAD_BODIES: ReadonlySet<number> = new Set([
  Body.Call,
  Body.Result,
  Body.Notify,
  Body.Item,
  Body.Settle,
  Body.Progress,
]);

function textOf(envelope: Envelope): string {
  const { body } = envelope;
  // By hand where it counts: most calls and results are nothing but an id and a payload.
  if (body === Body.Result && envelope.metadata === undefined)
    return `{"b":17,"id":${envelope.id}${memberOf(envelope.payload)}}`;
  if (body === Body.Item)
    return `{"b":21,"id":${envelope.id},"seq":${envelope.seq}${extraOf(envelope.extra)}${memberOf(envelope.payload)}}`;
  if (body === 0) {
    if (envelope.number === 0) return "{}";
    throw brokenEnvelope("of an unknown kind cannot be sent");
  }
  const fields: Record<string, unknown> = { b: body };
  for (const name in envelope) {
    const value: unknown = envelope[name as keyof Envelope];
    if (name === "body" || name === "payload" || isDefault(value) || (value === 0 && !MEANINGFUL_ZEROS.has(name)))
      continue;
    fields[name] = fieldValue(name, value);
  }
  const text = JSON.stringify(fields);
  if (!PAYLOAD_BODIES.has(body)) return text;
  return `${text.slice(0, -1)}${memberOf((envelope as { readonly payload: Payload | undefined }).payload)}}`;
}

function withCounts(text: string, counts: Readonly<Counts> | undefined): string {
  let members = "";
  if (counts !== undefined) {
    if (counts.ack >= 0) members = `,"ack":${counts.ack}`;
    if (counts.ackRequested) members += ',"ackRequested":true';
  }
  if (text !== "{}") return members === "" ? text : `${text.slice(0, -1)}${members}}`;
  if (members === "") throw brokenEnvelope("without body and ack cannot be sent");
  return `{${members.slice(1)}}`;
}

/** What an event or a job says beside its payload, as members behind others. */
function extraOf(extra: ItemExtra | undefined): string {
  if (extra === undefined) return "";
  const { topic, lost, delivery, attempt, metadata } = extra;
  const fields = {
    topic: topic || undefined,
    lost: lost || undefined,
    delivery: delivery || undefined,
    attempt: attempt || undefined,
    metadata: metadata && [...metadata],
  };
  const text = JSON.stringify(fields).slice(1, -1);
  return text === "" ? "" : `,${text}`;
}

/** A payload as one more member of an object. */
function memberOf(payload: Payload | undefined): string {
  const text = payloadText(payload);
  return text === "" ? "" : `,${text}`;
}

/** Fields in which zero is not the same as nothing said. */
const MEANINGFUL_ZEROS: ReadonlySet<string> = new Set(["deadlineMs", "credits", "received"]);

function isDefault(value: unknown): boolean {
  return value === undefined || value === "" || value === false;
}

function fieldValue(name: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return base64FromBytes(value);
  if (name === "metadata") return [...(value as MetadataEntries)];
  if (name === "error") return errorFields(value as WireError);
  if (name === "resume") {
    const { sessionId, received } = value as ResumeRequest;
    return { sessionId: base64FromBytes(sessionId), received };
  }
  return value;
}

function errorFields(error: WireError): Record<string, unknown> {
  const { details, ...plain } = error;
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(plain)) if (!isDefault(value)) fields[name] = value;
  if (details !== undefined) Object.assign(fields, JSON.parse(`{${payloadText(details)}}`));
  return fields;
}

/** Members that carry a payload: `"p":<json>` or `"pb":"<base64>"`. */
function payloadText(payload: Payload | undefined): string {
  if (payload === undefined) return "";
  if (payload instanceof EncodedPayload) {
    if (payload.format === "protobuf") return `"pb":"${base64FromBytes(payloadBytes(payload))}"`;
    const json = payload.bytes === undefined ? JSON.stringify(payload.json) : readUtf8(payload.bytes);
    return json === undefined || json === "" ? "" : `"p":${json}`;
  }
  if (payload.codec.format === "protobuf") return `"pb":"${base64FromBytes(payload.codec.encode(payload.value))}"`;
  const json = payload.codec.stringify(payload.value);
  return json === "" ? "" : `"p":${json}`;
}

function envelopeOf(f: EnvelopeFields): Envelope {
  const number = f.wholeNumber("b", 0xffff);
  switch (number) {
    case Body.Hello:
      return {
        body: Body.Hello,
        versions: f.list("versions", "number"),
        nonce: f.bytes("nonce"),
        instanceId: f.bytes("instanceId"),
        principal: f.text("principal"),
        mechanisms: f.list("mechanisms", "string"),
        binding: f.word("binding", BINDINGS),
        limits: f.limits(),
        features: f.list("features", "string"),
        resume: f.resume(),
        software: f.text("software"),
      };
    case Body.Challenge:
      return {
        body: Body.Challenge,
        version: f.wholeNumber("version"),
        nonce: f.bytes("nonce"),
        instanceId: f.bytes("instanceId"),
        mechanism: f.text("mechanism"),
        binding: f.word("binding", BINDINGS),
        limits: f.limits(),
        features: f.list("features", "string"),
      };
    case Body.Proof:
      return { body: Body.Proof, mac: f.bytes("mac"), token: f.text("token") };
    case Body.Welcome:
      return {
        body: Body.Welcome,
        mac: f.bytes("mac"),
        sessionId: f.bytes("sessionId"),
        resumed: f.flag("resumed"),
        received: f.optionalNumber("received"),
        refusal: f.word("refusal", RESUME_REFUSALS),
        resumeWindowMs: f.wholeNumber("resumeWindowMs"),
      };
    case Body.Ping:
    case Body.Pong:
      return { body: number, token: f.wholeNumber("token") };
    case Body.Goodbye:
      return { body: Body.Goodbye, error: f.optionalError(), sessionOver: f.flag("sessionOver") };
    case Body.Compressed:
      return { body: Body.Compressed, data: f.bytes("data") };
    case Body.Call:
      return {
        body: Body.Call,
        id: f.id(),
        method: f.text("method"),
        kind: f.word("kind", CALL_KINDS),
        payload: f.payload(),
        deadlineMs: f.optionalNumber("deadlineMs"),
        metadata: f.metadata(),
        idempotencyKey: f.optionalText("idempotencyKey"),
        credits: f.optionalNumber("credits"),
        depth: f.wholeNumber("depth"),
        parentId: f.wholeNumber("parentId"),
        observed: f.flag("observed"),
        handleId: f.text("handleId"),
      };
    case Body.Result:
      return { body: Body.Result, id: f.id(), payload: f.payload(), metadata: f.metadata() };
    case Body.Fail:
      return { body: Body.Fail, id: f.id(), error: f.optionalError() ?? NO_ERROR, metadata: f.metadata() };
    case Body.Cancel:
      return { body: Body.Cancel, id: f.id(), reason: f.text("reason") };
    case Body.Notify:
      return {
        body: Body.Notify,
        method: f.text("method"),
        payload: f.payload(),
        metadata: f.metadata(),
        depth: f.wholeNumber("depth"),
      };
    case Body.Item:
      return { body: Body.Item, id: f.id(), seq: f.wholeNumber("seq"), payload: f.payload(), extra: f.extra() };
    case Body.Settle: {
      const outcome = f.word("outcome", OUTCOMES);
      return {
        body: Body.Settle,
        id: f.id(),
        delivery: f.wholeNumber("delivery"),
        outcome,
        // As in a result, no member is an output that is undefined.
        payload: outcome === "ack" || f.hasPayload() ? f.payload() : undefined,
        error: f.optionalError(),
      };
    }
    case Body.Credit:
      return { body: Body.Credit, id: f.id(), credits: f.wholeNumber("credits") };
    case Body.End:
      return { body: Body.End, id: f.id(), error: f.optionalError(), metadata: f.metadata() };
    case Body.Drain:
      return { body: Body.Drain, reason: f.text("reason"), deadlineMs: f.wholeNumber("deadlineMs") };
    case Body.Progress:
      return {
        body: Body.Progress,
        id: f.id(),
        payload: f.hasPayload() ? f.payload() : undefined,
        log: f.log(),
      };
    default:
      return { body: 0, number };
  }
}

const NO_ERROR: WireError = {
  code: 2,
  message: "",
  reason: "",
  details: undefined,
  retryable: false,
  delivered: undefined,
  stack: "",
};
