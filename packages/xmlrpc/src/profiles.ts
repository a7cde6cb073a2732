/** Whose dialect: see each in {@link PROFILES}. */
export type ProfileName = "lenient" | "strict" | "python" | "apache" | "odoo";

/** How an extension is written: with its bare name, with the prefix `ex:` bound to Apache's name space, or not at all. */
export type Spelling = "bare" | "prefixed" | "none";

/** What a whole `number` outside 32 bit becomes. A `bigint` is never written as double. */
export type BigIntPolicy = "i8" | "double" | "error";

/** What a profile decides. */
export interface Profile {
  /** Decoding keeps to the letter of the specification of 1999: no extensions, no other spelling. */
  readonly strict: boolean;
  /** How `null` is written; "none": it is refused. */
  readonly nil: Spelling;
  /** How i8, biginteger and bigdecimal are written. */
  readonly extensions: Spelling;
  readonly writeBigInts: BigIntPolicy;
}

/**
 * - `lenient`: reads whatever real peers send, writes nil and i8 with bare names.
 * - `strict`: the specification and nothing else, both ways.
 * - `python`: reads as lenient; writes what CPython's own module writes by default: no nil, no integer beyond 32 bit.
 * - `apache`: reads as lenient; writes extensions as Apache ws-xmlrpc spells them.
 * - `odoo`: as lenient.
 */
export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  lenient: { strict: false, nil: "bare", extensions: "bare", writeBigInts: "i8" },
  strict: { strict: true, nil: "none", extensions: "none", writeBigInts: "error" },
  python: { strict: false, nil: "none", extensions: "none", writeBigInts: "error" },
  apache: { strict: false, nil: "prefixed", extensions: "prefixed", writeBigInts: "i8" },
  odoo: { strict: false, nil: "bare", extensions: "bare", writeBigInts: "i8" },
};

/** Bounds of one document. Reaching one is the fault -32400. `0` means zero. */
export interface DocumentLimits {
  /** Nested arrays and structs. Default 64. */
  readonly maxDepth: number;
  /** Elements, attributes, comments, processing instructions and numeric references together. Default 1,000,000. */
  readonly maxElements: number;
  /** Members of one struct. Default 10,000. */
  readonly maxMembers: number;
  /** Characters of one text. Default 4 Mi. */
  readonly maxTextLength: number;
  /** Characters of a method's or a member's name. Default 1024. */
  readonly maxNameLength: number;
}

export const DEFAULT_DOCUMENT_LIMITS: DocumentLimits = {
  maxDepth: 64,
  maxElements: 1_000_000,
  maxMembers: 10_000,
  maxTextLength: 4 * 1024 * 1024,
  maxNameLength: 1024,
};

/** How documents are read and written. Every member has a default. */
export interface DocumentOptions {
  /** Default `"lenient"`. */
  readonly profile?: ProfileName | undefined;
  /** Whether `null` is written; default: as the profile says. */
  readonly nil?: boolean | undefined;
  /** Default: as the profile says. */
  readonly writeBigInts?: BigIntPolicy | undefined;
  /** What a read i8 or biginteger becomes: always `bigint` (default), or `number` when that is exact. */
  readonly readBigInts?: "bigint" | "prefer-number" | undefined;
  /** What a read dateTime becomes: {@link XmlRpcDateTime} (default), or `Date`, a naive one taken as UTC. */
  readonly dates?: "dateTime" | "date" | undefined;
  /** What a read struct becomes: a record without prototype (default), or a `Map`. */
  readonly structs?: "record" | "map" | undefined;
  /** Read and write `NaN`, `INF`, `-INF` as double, against the specification. Default false. */
  readonly nonFinite?: boolean | undefined;
  /** What writing does with characters that XML forbids: refuse the value (default), or put U+FFFD. */
  readonly illegalChars?: "error" | "replace" | undefined;
  /** Append `Z` to written dates that are known to be UTC. Default false. */
  readonly zoneSuffix?: boolean | undefined;
  /** Break base64 into lines of 76 characters. Default false: one line. */
  readonly base64Lines?: boolean | undefined;
  readonly limits?: Partial<DocumentLimits> | undefined;
}
