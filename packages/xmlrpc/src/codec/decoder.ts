import { FaultCode, FaultError } from "../fault.ts";
import type { DocumentLimits } from "../profiles.ts";
import {
  isBlank,
  readBase64,
  readBigInteger,
  readBoolean,
  readDateTime,
  readDecimal,
  readDouble,
  readInt,
} from "./scalars.ts";
import type { XmlSink } from "./xml-reader.ts";
import { decodeReferences } from "./xml-text.ts";

/** What the decoder needs to know of a codec's options, defaults filled in. */
export interface DecoderRules {
  readonly strict: boolean;
  readonly nonFinite: boolean;
  readonly preferNumber: boolean;
  readonly asDate: boolean;
  readonly asMap: boolean;
  readonly limits: DocumentLimits;
}

/** Which document is expected. */
export type Root = "methodCall" | "methodResponse";

type Scalar =
  | "int"
  | "i4"
  | "i1"
  | "i2"
  | "i8"
  | "biginteger"
  | "bigdecimal"
  | "float"
  | "double"
  | "boolean"
  | "string"
  | "dateTime.iso8601"
  | "dateTime"
  | "base64"
  | "nil";

type State =
  | "document"
  | "root"
  | "methodName"
  | "params"
  | "param"
  | "fault"
  | "value"
  | "array"
  | "data"
  | "struct"
  | "member"
  | "name"
  | Scalar;

const STANDARD: ReadonlySet<string> = new Set([
  "int",
  "i4",
  "double",
  "boolean",
  "string",
  "dateTime.iso8601",
  "base64",
]);
const EXTENSIONS: ReadonlySet<string> = new Set(["nil", "i1", "i2", "i8", "float", "biginteger", "bigdecimal"]);
/** Only with a bound prefix: its bare name is no extension that anybody sends. */
const PREFIXED_ONLY: ReadonlySet<string> = new Set(["dateTime"]);

const EXTENSION_NAMESPACE = "http://ws.apache.org/xmlrpc/namespaces/extensions";

/** Longest method or member name shown in an error. */
const SHOWN = 80;

type Struct = Record<string, unknown> | Map<string, unknown>;

/** One array or struct that is being filled. */
interface Container {
  readonly list: unknown[] | undefined;
  readonly struct: Struct | undefined;
  members: number;
  name: string | undefined;
}

const NOTHING: unique symbol = Symbol("nothing");

/** Builds the values of one document while it is read: a machine with a stack, so that depth costs no stack of ours. */
export class Decoder implements XmlSink {
  readonly #rules: DecoderRules;
  readonly #limits: DocumentLimits;
  readonly #root: Root;
  readonly #states: State[] = ["document"];
  readonly #tags: string[] = [];
  readonly #containers: Container[] = [];
  readonly #prefixes = new Map<string, string>();
  #state: State = "document";
  #text = "";
  #elements = 0;
  /** The value that is complete and not yet placed, by the innermost `<value>`. */
  #value: unknown = NOTHING;
  #rootSeen = false;

  method: string | undefined;
  params: unknown[] | undefined;
  fault: { readonly value: unknown } | undefined;

  constructor(root: Root, rules: DecoderRules) {
    this.#root = root;
    this.#rules = rules;
    this.#limits = rules.limits;
  }

  count(number: number): void {
    this.#elements += number;
    if (this.#elements > this.#limits.maxElements) {
      throw exceeded(`more than ${this.#limits.maxElements} elements`);
    }
  }

  bind(prefix: string, namespace: string): void {
    this.#prefixes.set(prefix, namespace);
  }

  text(raw: string): void {
    switch (this.#state) {
      case "value":
        // Beside a type element only blanks may stand.
        if (this.#value !== NOTHING) break;
        this.#append(raw);
        return;
      case "document":
      case "root":
      case "params":
      case "param":
      case "fault":
      case "array":
      case "data":
      case "struct":
      case "member":
        break;
      default:
        this.#append(raw);
        return;
    }
    if (!isBlank(raw) && !isBlank(decodeReferences(raw, this))) throw invalid("text between elements");
  }

  #append(raw: string): void {
    const limit =
      this.#state === "name" || this.#state === "methodName" ? this.#limits.maxNameLength : this.#limits.maxTextLength;
    const text = raw.includes("&") ? decodeReferences(raw, this) : raw;
    if (this.#text.length + text.length > limit) throw exceeded(`a text is longer than ${limit} characters`);
    this.#text = this.#text === "" ? text : this.#text + text;
  }

  open(tag: string): void {
    this.count(1);
    const state = this.#next(tag);
    this.#tags.push(tag);
    this.#states.push(state);
    this.#state = state;
  }

  #next(tag: string): State {
    switch (this.#state) {
      case "value":
        return this.#type(tag);
      case "data":
        if (tag === "value") return this.#openValue();
        break;
      case "struct":
        if (tag === "member") return this.#openMember();
        break;
      case "member":
        if (tag === "name" && this.#container().name === undefined) {
          this.#text = "";
          return "name";
        }
        if (tag === "value" && this.#container().name !== undefined && this.#value === NOTHING)
          return this.#openValue();
        break;
      case "array":
        if (tag === "data" && this.#value === NOTHING) {
          // Remembers that the one `<data>` has been there.
          this.#value = undefined;
          return "data";
        }
        break;
      case "param":
      case "fault":
        if (tag === "value" && this.#value === NOTHING) return this.#openValue();
        break;
      case "params":
        if (tag === "param" && (this.#root === "methodCall" || this.params?.length === 0)) {
          this.#value = NOTHING;
          return "param";
        }
        break;
      case "document":
        if (this.#rootSeen) throw notWellFormed("a second root element");
        if (tag === this.#root) {
          this.#rootSeen = true;
          return "root";
        }
        break;
      case "root":
        return this.#inRoot(tag);
      default:
        break;
    }
    throw unexpected(tag, this.#tags.at(-1));
  }

  #inRoot(tag: string): State {
    if (this.#root === "methodCall") {
      if (tag === "methodName" && this.method === undefined) {
        this.#text = "";
        return "methodName";
      }
      if (tag === "params" && this.method !== undefined && this.params === undefined) {
        this.params = [];
        return "params";
      }
    } else if (this.params === undefined && this.fault === undefined) {
      if (tag === "params") {
        this.params = [];
        return "params";
      }
      if (tag === "fault") {
        this.#value = NOTHING;
        return "fault";
      }
    }
    throw unexpected(tag, this.#root);
  }

  #openValue(): State {
    this.#text = "";
    this.#value = NOTHING;
    return "value";
  }

  #openMember(): State {
    const struct = this.#container();
    if (++struct.members > this.#limits.maxMembers) {
      throw exceeded(`a struct has more than ${this.#limits.maxMembers} members`);
    }
    struct.name = undefined;
    this.#value = NOTHING;
    return "member";
  }

  #type(tag: string): State {
    if (this.#value !== NOTHING) throw invalid("two types in one value");
    if (this.#text !== "") {
      if (!isBlank(this.#text)) throw invalid("text beside a type element");
      this.#text = "";
    }
    switch (tag) {
      case "array":
        this.#push({ list: [], struct: undefined, members: 0, name: undefined });
        return "array";
      case "struct":
        this.#push({ list: undefined, struct: this.#emptyStruct(), members: 0, name: undefined });
        return "struct";
      default:
        return this.#scalar(tag);
    }
  }

  #emptyStruct(): Struct {
    return this.#rules.asMap ? new Map<string, unknown>() : (Object.create(null) as Record<string, unknown>);
  }

  #scalar(tag: string): State {
    if (STANDARD.has(tag)) return tag as Scalar;
    const colon = tag.indexOf(":");
    const bare = colon === -1 ? tag : tag.slice(colon + 1);
    const ours = colon === -1 || this.#isOurs(tag.slice(0, colon));
    const isPrefixed = ours && colon !== -1;
    if (ours && (EXTENSIONS.has(bare) || (isPrefixed && PREFIXED_ONLY.has(bare)))) {
      if (this.#rules.strict) throw invalid(`the extension <${tag.slice(0, SHOWN)}> is not enabled`);
      return bare as Scalar;
    }
    throw unexpected(tag, "value");
  }

  /** `ex` is what everybody calls it, and some forget to bind. */
  #isOurs(prefix: string): boolean {
    const namespace = this.#prefixes.get(prefix);
    return namespace === EXTENSION_NAMESPACE || (namespace === undefined && prefix === "ex");
  }

  #push(container: Container): void {
    if (this.#containers.length >= this.#limits.maxDepth) {
      throw exceeded(`arrays and structs are nested deeper than ${this.#limits.maxDepth}`);
    }
    this.#containers.push(container);
    this.#value = NOTHING;
  }

  #container(): Container {
    const container = this.#containers.at(-1);
    if (container === undefined) throw invalid("no array or struct");
    return container;
  }

  close(tag: string): void {
    const open = this.#tags.pop();
    if (open !== tag) throw notWellFormed(`</${tag.slice(0, SHOWN)}> closes <${open?.slice(0, SHOWN) ?? ""}>`);
    const state = this.#state;
    this.#states.pop();
    this.#state = this.#states.at(-1) ?? "document";
    switch (state) {
      case "value":
        this.#closeValue();
        break;
      case "member":
        if (this.#value === NOTHING) throw invalid("a member needs a name and a value");
        this.#value = NOTHING;
        break;
      case "name":
        this.#container().name = this.#text;
        break;
      case "array":
        if (this.#value === NOTHING && this.#rules.strict) throw invalid("an array needs <data>");
        this.#value = this.#containers.pop()?.list;
        break;
      case "data":
        this.#value = undefined;
        break;
      case "struct":
        this.#value = this.#containers.pop()?.struct;
        break;
      case "param":
        if (this.#value === NOTHING) throw invalid("a param needs a value");
        this.params?.push(this.#value);
        break;
      case "fault":
        if (this.#value === NOTHING) throw invalid("a fault needs a value");
        this.fault = { value: this.#value };
        break;
      case "methodName":
        this.#named();
        break;
      case "document":
      case "root":
      case "params":
        break;
      default:
        this.#value = this.#read(state, this.#text);
        this.#text = "";
    }
  }

  #named(): void {
    if (this.#text === "") throw invalid("methodName is empty");
    if (this.#rules.strict && !/^[A-Za-z0-9_.:/]+$/.test(this.#text))
      throw invalid("methodName has illegal characters");
    this.method = this.#text;
  }

  /** The value goes where it belongs; the innermost element is now what holds it. */
  #closeValue(): void {
    const value = this.#value === NOTHING ? this.#text : this.#value;
    this.#text = "";
    if (this.#state === "data") {
      this.#container().list?.push(value);
    } else if (this.#state === "member") {
      const { struct, name } = this.#container();
      if (struct !== undefined && name !== undefined) this.#set(struct, name, value);
    }
    this.#value = value;
  }

  #set(struct: Struct, name: string, value: unknown): void {
    if (struct instanceof Map) {
      if (this.#rules.strict && struct.has(name)) throw doubled(name);
      struct.set(name, value);
    } else {
      if (this.#rules.strict && name in struct) throw doubled(name);
      struct[name] = value;
    }
  }

  #read(type: Scalar, text: string): unknown {
    const { strict, nonFinite } = this.#rules;
    switch (type) {
      case "string":
        return text;
      case "int":
      case "i4":
        return readInt(text, type, strict ? 32 : 64, strict);
      case "i1":
        return readInt(text, type, 8, strict);
      case "i2":
        return readInt(text, type, 16, strict);
      case "i8":
        return this.#big(readInt(text, type, 64, strict));
      case "biginteger":
        return this.#big(readBigInteger(text));
      case "bigdecimal":
        return readDecimal(text);
      case "boolean":
        return readBoolean(text);
      case "double":
      case "float":
        return readDouble(text, strict, nonFinite);
      case "dateTime.iso8601":
      case "dateTime": {
        const date = readDateTime(text, strict);
        return this.#rules.asDate ? date.toDate() : date;
      }
      case "base64":
        return readBase64(text, strict);
      case "nil":
        if (!isBlank(text)) throw invalid("nil holds text");
        return null;
    }
  }

  #big(number: number | bigint): number | bigint {
    if (!this.#rules.preferNumber) return BigInt(number);
    return number >= Number.MIN_SAFE_INTEGER && number <= Number.MAX_SAFE_INTEGER ? Number(number) : number;
  }

  end(): void {
    if (!this.#rootSeen) throw notWellFormed("no root element");
    if (this.#root === "methodCall") {
      if (this.method === undefined) throw invalid("a call needs a methodName");
    } else if (this.params === undefined && this.fault === undefined) {
      throw invalid("a response needs params or fault");
    }
  }
}

function invalid(what: string): FaultError {
  return new FaultError(FaultCode.InvalidRequest, `ValueError: ${what}`);
}

function doubled(name: string): FaultError {
  return invalid(`member ${JSON.stringify(name.slice(0, SHOWN))} is given twice`);
}

const NAME = /^[A-Za-z_:\u0080-\uffff][\w.:\u0080-\uffff-]*$/;

function unexpected(tag: string, parent: string | undefined): FaultError {
  if (!NAME.test(tag)) return notWellFormed(`${JSON.stringify(tag.slice(0, SHOWN))} is no name of an element`);
  const place = parent === undefined ? "" : ` in <${parent.slice(0, SHOWN)}>`;
  return invalid(`unexpected element <${tag.slice(0, SHOWN)}>${place}`);
}

function notWellFormed(what: string): FaultError {
  return new FaultError(FaultCode.NotWellFormed, `ParserError: ${what}`);
}

function exceeded(what: string): FaultError {
  return new FaultError(FaultCode.System, `LimitError: ${what}`);
}
