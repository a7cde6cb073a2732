import { refused } from "../errors.ts";
import { type Fault, FaultCode } from "../fault.ts";
import {
  DEFAULT_DOCUMENT_LIMITS,
  type DocumentLimits,
  type DocumentOptions,
  type ProfileName,
  PROFILES,
} from "../profiles.ts";
import { decodeDocument } from "./charset.ts";
import { Decoder, type DecoderRules } from "./decoder.ts";
import type { DecodedCall, DecodedReply, DocumentCodec } from "./document-codec.ts";
import { Encoder, type EncoderRules, withPlace } from "./encoder.ts";
import { invalid } from "./faults.ts";
import { Tag } from "./tags.ts";
import { XmlReader } from "./xml-reader.ts";
import { escapeText } from "./xml-text.ts";

/** A codec for the dialect of a profile, or of options over it. Default: `"lenient"`. It keeps no state between documents. */
export function createDocumentCodec(dialect: ProfileName | DocumentOptions = {}): DocumentCodec {
  const options = typeof dialect === "string" ? { profile: dialect } : dialect;
  const name = options.profile ?? "lenient";
  oneOf("profile", name, Object.keys(PROFILES));
  oneOf("writeBigInts", options.writeBigInts, ["i8", "double", "error"]);
  oneOf("readBigInts", options.readBigInts, ["bigint", "prefer-number"]);
  oneOf("dates", options.dates, ["dateTime", "date"]);
  oneOf("structs", options.structs, ["record", "map"]);
  oneOf("illegalChars", options.illegalChars, ["error", "replace"]);
  return new Codec(options, name);
}

function oneOf(option: string, value: string | undefined, words: readonly string[]): void {
  if (value === undefined || words.includes(value)) return;
  throw refused(`option ${option} must be one of ${words.join(", ")}, got ${value}`);
}

/** The limits with their defaults. One that is no number would limit nothing. */
function limitsOf(given: Partial<DocumentLimits> = {}): DocumentLimits {
  const limits: Record<keyof DocumentLimits, number> = { ...DEFAULT_DOCUMENT_LIMITS };
  for (const name of Object.keys(limits) as (keyof DocumentLimits)[]) {
    const value: unknown = given[name] ?? limits[name];
    if (typeof value !== "number" || !(value >= 0))
      throw refused(`option limits.${name} must be a number from 0 on, got ${String(value)}`);
    limits[name] = value;
  }
  return limits;
}

const DECLARATION = "<?xml version='1.0'?>\n";
const EXTENSIONS = ' xmlns:ex="http://ws.apache.org/xmlrpc/namespaces/extensions"';

class Codec implements DocumentCodec {
  readonly #decoding: DecoderRules;
  readonly #encoding: EncoderRules;
  readonly #reader = new XmlReader();
  /** Attributes of the root element that is written. */
  readonly #attributes: string;

  constructor(options: DocumentOptions, name: ProfileName) {
    const profile = PROFILES[name];
    const limits = limitsOf(options.limits);
    this.#decoding = {
      strict: profile.strict,
      nonFinite: options.nonFinite ?? false,
      preferNumber: options.readBigInts === "prefer-number",
      asDate: options.dates === "date",
      asMap: options.structs === "map",
      limits,
    };
    this.#encoding = {
      nil: options.nil === undefined ? profile.nil : options.nil ? spelt(profile.nil) : "none",
      extensions: profile.extensions,
      writeBigInts: options.writeBigInts ?? profile.writeBigInts,
      nonFinite: options.nonFinite ?? false,
      replaceIllegal: options.illegalChars === "replace",
      zoneSuffix: options.zoneSuffix ?? false,
      base64Lines: options.base64Lines ?? false,
      limits,
    };
    this.#attributes = profile.extensions === "prefixed" ? EXTENSIONS : "";
  }

  encodeCall(method: string, params: readonly unknown[]): string {
    const encoder = new Encoder(this.#encoding);
    let out = `${DECLARATION}<methodCall${this.#attributes}><methodName>${encoder.text(method)}</methodName><params>`;
    let i = 0;
    try {
      for (; i < params.length; i++) out += `<param>${encoder.value(params[i])}</param>`;
    } catch (thrown) {
      throw withPlace(thrown, `params[${i}]`);
    }
    return `${out}</params></methodCall>`;
  }

  encodeReply(value: unknown): string {
    let encoded: string;
    try {
      encoded = new Encoder(this.#encoding).value(value);
    } catch (thrown) {
      throw withPlace(thrown);
    }
    return `${DECLARATION}<methodResponse${this.#attributes}><params><param>${encoded}</param></params></methodResponse>`;
  }

  encodeFault(fault: Fault): string {
    // A fault must arrive: what XML forbids is replaced, whatever the options say.
    const message = escapeText(fault.message, true) ?? "";
    return `${DECLARATION}<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>${fault.code}</int></value></member><member><name>faultString</name><value><string>${message}</string></value></member></struct></value></fault></methodResponse>`;
  }

  decodeCall(document: Uint8Array, contentType: string | undefined): DecodedCall {
    const { method, params } = this.#decode(Tag.MethodCall, document, contentType);
    return { method: method ?? "", params: params ?? [] };
  }

  decodeReply(document: Uint8Array, contentType: string | undefined): DecodedReply {
    const { fault, params } = this.#decode(Tag.MethodResponse, document, contentType);
    if (fault !== undefined) return { fault: faultIn(fault.value, this.#decoding.strict) };
    if (params === undefined || params.length === 0) {
      if (this.#decoding.strict) throw invalid("a response needs one param");
      // The void answer of sloppy servers.
      return { value: null };
    }
    return { value: params[0] };
  }

  #decode(
    root: typeof Tag.MethodCall | typeof Tag.MethodResponse,
    document: Uint8Array,
    contentType: string | undefined,
  ): Decoder {
    return this.#reader.read(decodeDocument(document, contentType), () => new Decoder(root, this.#decoding));
  }
}

/** nil that is asked for in a dialect that has none is written with its bare name. */
function spelt(nil: "bare" | "prefixed" | "none"): "bare" | "prefixed" {
  return nil === "none" ? "bare" : nil;
}

function faultIn(value: unknown, strict: boolean): Fault {
  const members = value instanceof Map ? new Map<unknown, unknown>(value) : new Map(membersOf(value));
  if (!members.has("faultCode")) throw invalid("a fault needs a faultCode");
  const sent = members.get("faultCode");
  const code = typeof sent === "bigint" && !strict ? Number(sent) : sent;
  const text = members.get("faultString");
  if (strict && (members.size !== 2 || typeof text !== "string" || !isInt32(code))) {
    throw invalid("a fault holds an int faultCode, a string faultString and nothing else");
  }
  const message = typeof text === "string" ? text : text === undefined || text === null ? "" : plain(text);
  if (isInt32(code)) return { code, message };
  return { code: FaultCode.Application, message, legacyCode: plain(sent) };
}

function membersOf(value: unknown): [unknown, unknown][] {
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== null) {
    throw invalid("a fault holds one struct");
  }
  return Object.entries(value);
}

function isInt32(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= -(2 ** 31) && value < 2 ** 31;
}

/** A fault's code or text that is none: as text, without asking objects for theirs. */
function plain(value: unknown): string {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
    case "bigint":
    case "boolean":
      return String(value);
    default:
      return value === null ? "nil" : "a value that is no text";
  }
}
