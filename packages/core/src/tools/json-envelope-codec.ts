import {
  type AnnouncedLimits,
  Body,
  CALL_KINDS,
  type CallKind,
  type Envelope,
  type MetadataEntries,
  type WireError,
} from "../words/envelope.ts";
import type { EnvelopeCodec } from "../words/envelope-codec.ts";
import type { LogLevel, LogLine } from "../words/call-context.ts";
import { EncodedPayload, type Payload } from "../words/payload.ts";
import { RpcError } from "../words/rpc-error.ts";
import { base64FromBytes, bytesFromBase64 } from "./bytes.ts";
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
  encode: (envelope) => utf8Bytes(textOf(envelope)),
  decode: (bytes) => {
    let json: unknown;
    try {
      json = JSON.parse(readUtf8(bytes));
    } catch (thrown) {
      throw broken("is not JSON", thrown);
    }
    return envelopeOf(new Fields(json));
  },
};

const PAYLOAD_BODIES: ReadonlySet<number> = new Set([Body.Call, Body.Result, Body.Notify, Body.Item, Body.Progress]);

function textOf(envelope: Envelope): string {
  const { body } = envelope;
  // By hand where it counts: most calls and results are nothing but an id and a payload.
  if (body === Body.Result && envelope.metadata === undefined)
    return `{"b":17,"id":${envelope.id}${memberOf(envelope.payload)}}`;
  if (body === Body.Item) return `{"b":21,"id":${envelope.id},"seq":${envelope.seq}${memberOf(envelope.payload)}}`;
  if (body === 0) throw broken("of an unknown kind cannot be sent");
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

/** A payload as one more member of an object. */
function memberOf(payload: Payload | undefined): string {
  const text = payloadText(payload);
  return text === "" ? "" : `,${text}`;
}

/** Fields in which zero is not the same as nothing said. */
const MEANINGFUL_ZEROS: ReadonlySet<string> = new Set(["deadlineMs", "credits"]);

function isDefault(value: unknown): boolean {
  return value === undefined || value === "" || value === false;
}

function fieldValue(name: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return base64FromBytes(value);
  if (name === "metadata") return [...(value as MetadataEntries)];
  if (name === "error") return errorFields(value as WireError);
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

function envelopeOf(f: Fields): Envelope {
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
        limits: f.limits(),
        features: f.list("features", "string"),
        software: f.text("software"),
      };
    case Body.Challenge:
      return {
        body: Body.Challenge,
        version: f.wholeNumber("version"),
        nonce: f.bytes("nonce"),
        instanceId: f.bytes("instanceId"),
        mechanism: f.text("mechanism"),
        limits: f.limits(),
        features: f.list("features", "string"),
      };
    case Body.Proof:
      return { body: Body.Proof, mac: f.bytes("mac") };
    case Body.Welcome:
      return {
        body: Body.Welcome,
        mac: f.bytes("mac"),
        sessionId: f.bytes("sessionId"),
        resumed: f.flag("resumed"),
        resumeWindowMs: f.wholeNumber("resumeWindowMs"),
      };
    case Body.Ping:
    case Body.Pong:
      return { body: number, token: f.wholeNumber("token") };
    case Body.Goodbye:
      return { body: Body.Goodbye, error: f.optionalError(), sessionOver: f.flag("sessionOver") };
    case Body.Call:
      return {
        body: Body.Call,
        id: f.id(),
        method: f.text("method"),
        kind: f.kind(),
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
      return { body: Body.Item, id: f.id(), seq: f.wholeNumber("seq"), payload: f.payload() };
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
        payload: f.has("p") || f.has("pb") ? f.payload() : undefined,
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
const LOG_LEVELS: readonly LogLevel[] = ["trace", "debug", "info", "notice", "warning", "error", "critical"];

/** Fields of an envelope that a peer wrote, each proved on reading. A field that is missing has its default; unknown ones are skipped. */
class Fields {
  readonly #fields: object;

  constructor(json: unknown) {
    if (typeof json !== "object" || json === null || Array.isArray(json)) throw broken("is not an object");
    this.#fields = json;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#fields, name);
  }

  /** The peer's own word only, whatever else objects of this process inherit. */
  #get(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? (this.#fields as Record<string, unknown>)[name] : undefined;
  }

  text(name: string): string {
    return this.optionalText(name) ?? "";
  }

  optionalText(name: string): string | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value !== "string" || !value.isWellFormed()) throw broken(`has a wrong ${name}`);
    return value;
  }

  flag(name: string): boolean {
    const value = this.#get(name) ?? false;
    if (typeof value !== "boolean") throw broken(`has a wrong ${name}`);
    return value;
  }

  wholeNumber(name: string, max: number = Number.MAX_SAFE_INTEGER): number {
    return this.optionalNumber(name, max) ?? 0;
  }

  optionalNumber(name: string, max: number = Number.MAX_SAFE_INTEGER): number | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > max)
      throw broken(`has a wrong ${name}`);
    return value;
  }

  id(): number {
    const id = this.wholeNumber("id");
    if (id === 0) throw broken("has no call id");
    return id;
  }

  kind(): CallKind {
    const kind = this.#get("kind") ?? "unary";
    const known = CALL_KINDS.find((name) => name === kind);
    if (known === undefined) throw broken("has a wrong kind of call");
    return known;
  }

  bytes(name: string): Uint8Array {
    const bytes = bytesFromBase64(this.text(name));
    if (bytes === undefined) throw broken(`has a wrong ${name}`);
    return bytes;
  }

  list(name: string, type: "string"): readonly string[];
  list(name: string, type: "number"): readonly number[];
  list(name: string, type: "string" | "number"): readonly unknown[] {
    const value = this.#get(name) ?? [];
    if (!Array.isArray(value) || value.some((element) => typeof element !== type)) throw broken(`has wrong ${name}`);
    return value;
  }

  metadata(): MetadataEntries | undefined {
    const value = this.#get("metadata");
    if (value === undefined) return undefined;
    const pair = (entry: unknown): boolean =>
      Array.isArray(entry) && entry.length === 2 && typeof entry[0] === "string" && typeof entry[1] === "string";
    if (!Array.isArray(value) || !value.every(pair)) throw broken("has wrong metadata");
    return value as readonly (readonly [string, string])[];
  }

  limits(): AnnouncedLimits | undefined {
    const value = this.#get("limits");
    if (value === undefined) return undefined;
    const limits = new Fields(value);
    return {
      maxMessageBytes: limits.wholeNumber("maxMessageBytes"),
      maxCalls: limits.wholeNumber("maxCalls"),
      heartbeatMs: limits.wholeNumber("heartbeatMs"),
      aliveMs: limits.wholeNumber("aliveMs"),
    };
  }

  payload(): EncodedPayload | undefined {
    const base64 = this.optionalText("pb");
    if (base64 === undefined) return new EncodedPayload("json", undefined, this.#get("p"));
    const bytes = bytesFromBase64(base64);
    if (bytes === undefined) throw broken("has a wrong payload");
    return new EncodedPayload("protobuf", bytes);
  }

  optionalError(): WireError | undefined {
    const value = this.#get("error");
    if (value === undefined) return undefined;
    const error = new Fields(value);
    const code = error.#get("code");
    const delivered = error.#get("delivered");
    const hasDetails = error.has("p") || error.has("pb");
    return {
      // A code that is missing or no number is an error all the same: UNKNOWN (hostile inputs H48).
      code: typeof code === "number" && Number.isInteger(code) && code >= 0 ? code : 2,
      message: error.text("message"),
      reason: error.text("reason"),
      details: hasDetails ? error.payload() : undefined,
      retryable: error.flag("retryable"),
      delivered: delivered === "no" || delivered === "unknown" ? delivered : undefined,
      stack: error.text("stack"),
    };
  }

  log(): LogLine | undefined {
    const value = this.#get("log");
    if (value === undefined) return undefined;
    const line = new Fields(value);
    const level = line.#get("level");
    const given = line.#get("fields");
    const fields: Record<string, string> = Object.create(null) as Record<string, string>;
    if (typeof given === "object" && given !== null) {
      for (const [key, text] of Object.entries(given)) if (typeof text === "string") fields[key] = text;
    }
    return { level: LOG_LEVELS.find((known) => known === level) ?? "info", message: line.text("message"), fields };
  }
}

function broken(what: string, cause?: unknown): RpcError {
  return new RpcError("INTERNAL", `envelope ${what}`, { reason: "PROTOCOL", cause });
}
