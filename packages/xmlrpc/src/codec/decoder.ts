import type { FaultError } from "../fault.ts";
import type { DocumentLimits } from "../profiles.ts";
import { invalid, LimitFault, notWellFormed } from "./faults.ts";
import { isBlank } from "./scalars.ts";
import { isExtension, isScalar, Tag, tagName, tagOf } from "./tags.ts";
import { readScalar, type ValueRules } from "./value-types.ts";
import type { XmlSink } from "./xml-reader.ts";
import { decodeReferences } from "./xml-text.ts";

/** What the decoder needs to know of a codec's options, defaults filled in. */
export interface DecoderRules extends ValueRules {
  readonly asMap: boolean;
  readonly limits: DocumentLimits;
}

const EXTENSION_NAMESPACE = "http://ws.apache.org/xmlrpc/namespaces/extensions";

/** Longest name shown in an error. */
const SHOWN = 80;

type TextLimit = "maxTextLength" | "maxNameLength";
type Struct = Record<string, unknown> | Map<string, unknown>;

/** One array or struct that is being filled. */
interface Container {
  readonly list: unknown[] | undefined;
  readonly struct: Struct | undefined;
  members: number;
  name: string | undefined;
}

/** No value yet. */
const NOTHING: unique symbol = Symbol("nothing");

/**
 * Builds the values of one document while it is read: a machine with a stack of elements and one of containers, so that depth costs no stack
 * of ours. A wrong element ends it at once; a document of the wrong kind is never read to its end.
 */
export class Decoder implements XmlSink {
  readonly #rules: DecoderRules;
  readonly #limits: DocumentLimits;
  readonly #root: typeof Tag.MethodCall | typeof Tag.MethodResponse;
  /** Open elements; the innermost is `#inside`, not in here. */
  readonly #stack: number[] = [];
  /** Their names where they have a prefix. */
  readonly #prefixed: string[] = [];
  readonly #containers: Container[] = [];
  #container: Container | undefined;
  #prefixes: Map<string, string> | undefined;
  #inside: number = Tag.Document;
  #text = "";
  #elements = 0;
  /** The value that is complete and not placed yet, inside the innermost element. */
  #value: unknown = NOTHING;
  #rootSeen = false;

  method: string | undefined;
  params: unknown[] | undefined;
  fault: { readonly value: unknown } | undefined;

  constructor(root: typeof Tag.MethodCall | typeof Tag.MethodResponse, rules: DecoderRules) {
    this.#root = root;
    this.#rules = rules;
    this.#limits = rules.limits;
  }

  count(number: number): void {
    this.#elements += number;
    if (this.#elements > this.#limits.maxElements)
      throw new LimitFault("maxElements", `more than ${this.#limits.maxElements} elements`);
  }

  bind(prefix: string, namespace: string): void {
    this.#prefixes ??= new Map();
    this.#prefixes.set(prefix, namespace);
  }

  text(raw: string): void {
    const inside = this.#inside;
    // In a value: text, unless a type element was there; then only blanks may stand beside it.
    if (isScalar(inside) || (inside === Tag.Value && this.#value === NOTHING)) {
      this.#append(raw, "maxTextLength");
    } else if (inside === Tag.Name || inside === Tag.MethodName) {
      this.#append(raw, "maxNameLength");
    } else if (!isBlank(raw) && !isBlank(decodeReferences(raw, this))) {
      throw invalid(inside === Tag.Value ? "text beside a type element" : "text between elements");
    }
  }

  #append(raw: string, limit: TextLimit): void {
    const length = this.#limits[limit];
    // Before references are decoded: they only make it shorter, and a long flood of them is not to be built first.
    if (raw.length > length && raw.length > length * 10) throw tooLong(limit, length);
    const text = raw.includes("&") ? decodeReferences(raw, this) : raw;
    this.#text = this.#text === "" ? text : this.#text + text;
    if (this.#text.length > length) throw tooLong(limit, length);
  }

  open(tag: number, name: string): void {
    if (++this.#elements > this.#limits.maxElements) this.count(0);
    const inside = this.#inside;
    const next = inside === Tag.Value ? this.#type(tag, name) : this.#child(inside, tag);
    if (next === Tag.Unknown) throw unexpected(name, inside);
    if (next !== tag) this.#prefixed.push(name);
    this.#stack.push(inside);
    this.#inside = next;
  }

  /** The element inside another that is no value; Unknown: it may not stand there. */
  #child(inside: number, tag: number): number {
    switch (inside) {
      case Tag.Data:
        if (tag !== Tag.Value) return Tag.Unknown;
        break;
      case Tag.Struct:
        if (tag !== Tag.Member) return Tag.Unknown;
        this.#openMember();
        return tag;
      case Tag.Member:
        if (tag === Tag.Name && this.#container?.name === undefined) {
          this.#text = "";
          return tag;
        }
        if (tag !== Tag.Value || this.#container?.name === undefined || this.#value !== NOTHING) return Tag.Unknown;
        break;
      case Tag.Array:
        if (tag !== Tag.Data || this.#value !== NOTHING) return Tag.Unknown;
        // Remembers that the one `<data>` has been there.
        this.#value = undefined;
        return tag;
      case Tag.Param:
      case Tag.Fault:
        if (tag !== Tag.Value || this.#value !== NOTHING) return Tag.Unknown;
        break;
      case Tag.Params:
        if (tag !== Tag.Param || (this.#root === Tag.MethodResponse && this.params?.length !== 0)) return Tag.Unknown;
        this.#value = NOTHING;
        return tag;
      case Tag.Document:
        if (this.#rootSeen) throw notWellFormed("a second root element");
        this.#rootSeen = true;
        return tag === this.#root ? tag : Tag.Unknown;
      default:
        return inside === this.#root ? this.#inRoot(tag) : Tag.Unknown;
    }
    this.#text = "";
    this.#value = NOTHING;
    return Tag.Value;
  }

  #inRoot(tag: number): number {
    if (tag === Tag.MethodName) {
      this.#text = "";
      return this.#root === Tag.MethodCall && this.method === undefined ? tag : Tag.Unknown;
    }
    // Params stand behind the name of a call; params or fault alone in a response.
    const isPlace = this.#root === Tag.MethodCall ? this.method !== undefined : this.fault === undefined;
    if (!isPlace || this.params !== undefined) return Tag.Unknown;
    if (tag === Tag.Params) {
      this.params = [];
      return tag;
    }
    this.#value = NOTHING;
    return tag === Tag.Fault && this.#root === Tag.MethodResponse ? tag : Tag.Unknown;
  }

  #openMember(): void {
    const container = this.#container;
    if (container === undefined) return;
    if (++container.members > this.#limits.maxMembers) {
      throw new LimitFault("maxMembers", `a struct has more than ${this.#limits.maxMembers} members`);
    }
    container.name = undefined;
    this.#value = NOTHING;
  }

  /** The element inside a value. */
  #type(tag: number, name: string): number {
    if (this.#value !== NOTHING) throw invalid("two types in one value");
    if (this.#text !== "") {
      if (!isBlank(this.#text)) throw invalid("text beside a type element");
      this.#text = "";
    }
    if (tag === Tag.Array) {
      this.#enter({ list: [], struct: undefined, members: 0, name: undefined });
      return tag;
    }
    if (tag === Tag.Struct) {
      const struct = this.#rules.asMap ? new Map<string, unknown>() : emptyRecord();
      this.#enter({ list: undefined, struct, members: 0, name: undefined });
      return tag;
    }
    const type = tag === Tag.Unknown ? this.#prefixedType(name) : tag;
    if (!isScalar(type)) return Tag.Unknown;
    if (isExtension(type) && this.#rules.strict) {
      throw invalid(`the extension <${name.slice(0, SHOWN)}> is not enabled`);
    }
    return type;
  }

  /** `ex` is what everybody calls it, and some forget to bind. */
  #prefixedType(name: string): number {
    const colon = name.indexOf(":");
    if (colon === -1) return Tag.Unknown;
    const prefix = name.slice(0, colon);
    const namespace = this.#prefixes?.get(prefix);
    if (namespace !== EXTENSION_NAMESPACE && (namespace !== undefined || prefix !== "ex")) return Tag.Unknown;
    const bare = name.slice(colon + 1);
    if (bare === tagName(Tag.ExtendedDateTime)) return Tag.ExtendedDateTime;
    const type = tagOf(bare);
    return isExtension(type) ? type : Tag.Unknown;
  }

  #enter(container: Container): void {
    if (this.#containers.length >= this.#limits.maxDepth) {
      throw new LimitFault("maxDepth", `arrays and structs are nested deeper than ${this.#limits.maxDepth}`);
    }
    this.#containers.push(container);
    this.#container = container;
    this.#value = NOTHING;
  }

  #leave(): Container | undefined {
    const container = this.#containers.pop();
    this.#container = this.#containers.at(-1);
    return container;
  }

  close(tag: number, name: string): void {
    const inside = this.#inside;
    if (tag !== inside && (tag !== Tag.Unknown || this.#prefixed.pop() !== name)) {
      throw notWellFormed(`</${name.slice(0, SHOWN)}> closes <${tagName(inside)}>`);
    }
    this.#inside = this.#stack.pop() ?? Tag.Document;
    switch (inside) {
      case Tag.Value:
        this.#closeValue();
        break;
      case Tag.Member:
        if (this.#value === NOTHING) throw invalid("a member needs a name and a value");
        this.#value = NOTHING;
        break;
      case Tag.Name:
        if (this.#container !== undefined) this.#container.name = this.#text;
        break;
      case Tag.Array:
        if (this.#value === NOTHING && this.#rules.strict) throw invalid("an array needs <data>");
        this.#value = this.#leave()?.list;
        break;
      case Tag.Data:
        this.#value = undefined;
        break;
      case Tag.Struct:
        this.#value = this.#leave()?.struct;
        break;
      case Tag.Param:
        if (this.#value === NOTHING) throw invalid("a param needs a value");
        this.params?.push(this.#value);
        break;
      case Tag.Fault:
        if (this.#value === NOTHING) throw invalid("a fault needs a value");
        this.fault = { value: this.#value };
        break;
      case Tag.MethodName:
        this.#named();
        break;
      case Tag.MethodCall:
      case Tag.MethodResponse:
      case Tag.Params:
        break;
      default:
        this.#value = readScalar(inside, this.#text, this.#rules);
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
    this.#value = value;
    if (this.#inside === Tag.Data) {
      this.#container?.list?.push(value);
    } else if (this.#inside === Tag.Member) {
      const container = this.#container;
      if (container?.struct !== undefined && container.name !== undefined) {
        this.#set(container.struct, container.name, value);
      }
    }
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

  end(): void {
    if (this.#root === Tag.MethodCall) {
      if (this.method === undefined) throw invalid("a call needs a methodName");
    } else if (this.params === undefined && this.fault === undefined) {
      throw invalid("a response needs params or fault");
    }
  }
}

function emptyRecord(): Record<string, unknown> {
  return Object.create(null) as Record<string, unknown>;
}

function doubled(name: string): FaultError {
  return invalid(`member ${JSON.stringify(name.slice(0, SHOWN))} is given twice`);
}

const NAME = /^[A-Za-z_:\u0080-\uffff][\w.:\u0080-\uffff-]*$/;

function unexpected(name: string, inside: number): FaultError {
  if (!NAME.test(name)) return notWellFormed(`${JSON.stringify(name.slice(0, SHOWN))} is no name of an element`);
  const place = inside === Tag.Document ? "as the root" : `in <${tagName(inside)}>`;
  return invalid(`unexpected element <${name.slice(0, SHOWN)}> ${place}`);
}

function tooLong(limit: TextLimit, length: number): FaultError {
  return new LimitFault(limit, `a text is longer than ${length} characters`);
}
