import type { LogLevel, LogLine } from "../words/call-context.ts";
import type { AnnouncedLimits, ItemExtra, MetadataEntries, ResumeRequest, WireError } from "../words/envelope.ts";
import { EncodedPayload } from "../words/payload.ts";
import { RpcError } from "../words/rpc-error.ts";
import { bytesFromBase64 } from "./bytes.ts";

const EXTRA_FIELDS: readonly (keyof ItemExtra)[] = ["topic", "lost", "delivery", "attempt", "metadata"];
const LOG_LEVELS: readonly LogLevel[] = ["trace", "debug", "info", "notice", "warning", "error", "critical"];

/** Fields of an envelope that a peer wrote, each proved on reading. A field that is missing has its default; unknown ones are skipped. */
export class EnvelopeFields {
  readonly #fields: object;

  constructor(json: unknown) {
    if (typeof json !== "object" || json === null || Array.isArray(json)) throw brokenEnvelope("is not an object");
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
    if (typeof value !== "string" || !value.isWellFormed()) throw brokenEnvelope(`has a wrong ${name}`);
    return value;
  }

  flag(name: string): boolean {
    const value = this.#get(name) ?? false;
    if (typeof value !== "boolean") throw brokenEnvelope(`has a wrong ${name}`);
    return value;
  }

  wholeNumber(name: string, max: number = Number.MAX_SAFE_INTEGER): number {
    return this.optionalNumber(name, max) ?? 0;
  }

  optionalNumber(name: string, max: number = Number.MAX_SAFE_INTEGER): number | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > max)
      throw brokenEnvelope(`has a wrong ${name}`);
    return value;
  }

  id(): number {
    const id = this.wholeNumber("id");
    if (id === 0) throw brokenEnvelope("has no call id");
    return id;
  }

  /** One of `words`; the first when nothing is said. */
  word<Word extends string>(name: string, words: readonly [Word, ...Word[]]): Word {
    const value = this.#get(name) ?? words[0];
    const known = words.find((word) => word === value);
    if (known === undefined) throw brokenEnvelope(`has a wrong ${name}`);
    return known;
  }

  bytes(name: string): Uint8Array {
    const bytes = bytesFromBase64(this.text(name));
    if (bytes === undefined) throw brokenEnvelope(`has a wrong ${name}`);
    return bytes;
  }

  list(name: string, type: "string"): readonly string[];
  list(name: string, type: "number"): readonly number[];
  list(name: string, type: "string" | "number"): readonly unknown[] {
    const value = this.#get(name) ?? [];
    if (!Array.isArray(value) || value.some((element) => typeof element !== type))
      throw brokenEnvelope(`has wrong ${name}`);
    return value;
  }

  metadata(): MetadataEntries | undefined {
    const value = this.#get("metadata");
    if (value === undefined) return undefined;
    const pair = (entry: unknown): boolean =>
      Array.isArray(entry) && entry.length === 2 && typeof entry[0] === "string" && typeof entry[1] === "string";
    if (!Array.isArray(value) || !value.every(pair)) throw brokenEnvelope("has wrong metadata");
    return value as readonly (readonly [string, string])[];
  }

  limits(): AnnouncedLimits | undefined {
    const value = this.#get("limits");
    if (value === undefined) return undefined;
    const limits = new EnvelopeFields(value);
    return {
      maxMessageBytes: limits.wholeNumber("maxMessageBytes"),
      maxCalls: limits.wholeNumber("maxCalls"),
      heartbeatMs: limits.wholeNumber("heartbeatMs"),
      aliveMs: limits.wholeNumber("aliveMs"),
    };
  }

  resume(): ResumeRequest | undefined {
    const value = this.#get("resume");
    if (value === undefined) return undefined;
    const request = new EnvelopeFields(value);
    return { sessionId: request.bytes("sessionId"), received: request.wholeNumber("received") };
  }

  extra(): ItemExtra | undefined {
    if (!EXTRA_FIELDS.some((name) => this.has(name))) return undefined;
    return {
      topic: this.text("topic"),
      lost: this.wholeNumber("lost"),
      delivery: this.wholeNumber("delivery"),
      attempt: this.wholeNumber("attempt"),
      metadata: this.metadata(),
    };
  }

  hasPayload(): boolean {
    return this.has("p") || this.has("pb");
  }

  payload(): EncodedPayload | undefined {
    const base64 = this.optionalText("pb");
    if (base64 === undefined) return new EncodedPayload("json", undefined, this.#get("p"));
    const bytes = bytesFromBase64(base64);
    if (bytes === undefined) throw brokenEnvelope("has a wrong payload");
    return new EncodedPayload("protobuf", bytes);
  }

  optionalError(): WireError | undefined {
    const value = this.#get("error");
    if (value === undefined) return undefined;
    const error = new EnvelopeFields(value);
    const code = error.#get("code");
    const delivered = error.#get("delivered");
    return {
      // A code that is missing or no number is an error all the same: UNKNOWN (hostile inputs H48).
      code: typeof code === "number" && Number.isInteger(code) && code >= 0 ? code : 2,
      message: error.text("message"),
      reason: error.text("reason"),
      details: error.hasPayload() ? error.payload() : undefined,
      retryable: error.flag("retryable"),
      delivered: delivered === "no" || delivered === "unknown" ? delivered : undefined,
      stack: error.text("stack"),
    };
  }

  log(): LogLine | undefined {
    const value = this.#get("log");
    if (value === undefined) return undefined;
    const line = new EnvelopeFields(value);
    const level = line.#get("level");
    const given = line.#get("fields");
    const fields: Record<string, string> = Object.create(null) as Record<string, string>;
    if (typeof given === "object" && given !== null) {
      for (const [key, text] of Object.entries(given)) if (typeof text === "string") fields[key] = text;
    }
    return { level: LOG_LEVELS.find((known) => known === level) ?? "info", message: line.text("message"), fields };
  }
}

/** What all of these throw. */
export function brokenEnvelope(what: string, cause?: unknown): RpcError {
  return new RpcError("INTERNAL", `envelope ${what}`, { reason: "PROTOCOL", cause });
}
