/**
 * What a transport can do. Every member is a word of degree, or a gap with a sentence for the user that says what is missing
 * and what to use instead. Contracts are checked against it when they are bound, never at the first call.
 */
export interface Capabilities {
  /** The server can call a client that dialed in. */
  readonly duplex: Support<"native">;
  readonly notify: Support<"native" | "emulated">;
  readonly serverStream: Support<"native" | "emulated">;
  readonly clientStream: Support<"native" | "emulated">;
  readonly bidiStream: Support<"native" | "emulated">;
  readonly progress: Support<"native" | "emulated">;
  /** `propagated`: the handler's signal aborts; `local`: only the caller stops waiting. */
  readonly cancel: Support<"propagated" | "local">;
  readonly deadline: Support<"propagated" | "local">;
  readonly metadata: Support<"native" | "emulated">;
  /** What is kept in order: `per-peer`, all calls and notifications of a caller start in the order sent. */
  readonly ordering: Support<"per-peer">;
  readonly heartbeat: Support<"native">;
  /** After a lost connection the next call dials again. */
  readonly reconnect: Support<"native">;
  /** A call in flight survives a lost connection. */
  readonly resume: Support<"native">;
  readonly authentication: Support<"native">;
  readonly compression: Support<"native">;
  readonly batch: Support<"native">;
  readonly replyCache: Support<"native">;
  readonly topics: Support<"durable" | "volatile">;
  readonly queue: Support<"durable" | "volatile">;
  readonly broadcast: Support<"native" | "emulated">;
  readonly transactional: Support<"native">;
}

export type Capability = keyof Capabilities;

/** A degree of support, or the gap. */
export type Support<Degree extends string> = Degree | Unsupported;

/** A gap: the sentence says what is missing and what to use instead. */
export interface Unsupported {
  readonly unsupported: string;
  /** The sentence is said where it is used, instead of when a contract is bound whose other members work. Default: false. */
  readonly bindable?: boolean | undefined;
}

/** The sentence of a gap, or undefined when the capability is there. */
export function gapOf(support: Support<string>): string | undefined {
  return typeof support === "string" ? undefined : support.unsupported;
}
