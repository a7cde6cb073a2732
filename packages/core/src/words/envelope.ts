import type { LogLine } from "./call-context.ts";
import type { EncodedPayload, Payload } from "./payload.ts";

/**
 * Everything that two sessions say to each other. The numbers are the field numbers of `rpc/v1/envelope.proto`; the meaning of
 * each body is in docs/wire/envelope.md. Below 16: about the session itself, not counted by acknowledgement; 16 and above: counted.
 */
export const Body = {
  Hello: 3,
  Challenge: 4,
  Proof: 5,
  Welcome: 6,
  Ping: 7,
  Pong: 8,
  Goodbye: 10,
  Compressed: 12,
  Call: 16,
  Result: 17,
  Fail: 18,
  Cancel: 19,
  Notify: 20,
  Item: 21,
  Settle: 22,
  Credit: 23,
  End: 24,
  Drain: 25,
  Progress: 26,
} as const;

/** Shapes of a call, with their numbers on the wire. */
export const CALL_KINDS = [
  "unary",
  "serverStream",
  "clientStream",
  "bidiStream",
  "subscribe",
  "consume",
  "submit",
] as const;
export type CallKind = (typeof CALL_KINDS)[number];

/** What ties the proofs of a handshake to the channel under it, with the numbers on the wire. */
export const BINDINGS = ["none", "tls-exporter"] as const;
export type Binding = (typeof BINDINGS)[number];

/** Why a session was not resumed, with the numbers on the wire. */
export const RESUME_REFUSALS = [
  "not-asked",
  "unknown-session",
  "expired",
  "count-mismatch",
  "other-principal",
] as const;
export type ResumeRefusal = (typeof RESUME_REFUSALS)[number];

/** What a consumer made of a job, with the numbers on the wire. */
export const OUTCOMES = ["ack", "retry", "reject"] as const;
export type Outcome = (typeof OUTCOMES)[number];

export type MetadataEntries = Iterable<readonly [string, string]>;

/** What one end asks the other to keep to. 0: not said. */
export interface AnnouncedLimits {
  readonly maxMessageBytes: number;
  readonly maxCalls: number;
  readonly heartbeatMs: number;
  readonly aliveMs: number;
}

export interface HelloBody {
  readonly body: typeof Body.Hello;
  /** Major versions that the initiator speaks. */
  readonly versions: readonly number[];
  readonly nonce: Uint8Array;
  readonly instanceId: Uint8Array;
  readonly principal: string;
  readonly mechanisms: readonly string[];
  readonly binding: Binding;
  readonly limits: AnnouncedLimits | undefined;
  /** Abilities that are offered. */
  readonly features: readonly string[];
  /** The session to go on with; undefined: a new one. */
  readonly resume: ResumeRequest | undefined;
  readonly software: string;
}
/** What an initiator asks for when it comes back. */
export interface ResumeRequest {
  readonly sessionId: Uint8Array;
  /** Counted envelopes that it has received so far. */
  readonly received: number;
}
export interface ChallengeBody {
  readonly body: typeof Body.Challenge;
  readonly version: number;
  readonly nonce: Uint8Array;
  readonly instanceId: Uint8Array;
  readonly mechanism: string;
  readonly binding: Binding;
  readonly limits: AnnouncedLimits | undefined;
  /** Those of the offered abilities that will be used. */
  readonly features: readonly string[];
}
export interface ProofBody {
  readonly body: typeof Body.Proof;
  /** For `hmac-sha256`; empty for other mechanisms. */
  readonly mac: Uint8Array;
  /** For `token`; empty for other mechanisms. */
  readonly token: string;
}
export interface WelcomeBody {
  readonly body: typeof Body.Welcome;
  readonly mac: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly resumed: boolean;
  /** Counted envelopes that the acceptor has received in the session that was asked for; undefined: it does not know it any more. */
  readonly received: number | undefined;
  readonly refusal: ResumeRefusal;
  /** How long the acceptor keeps the session when its channel is lost; 0: it does not. */
  readonly resumeWindowMs: number;
}
export interface PingBody {
  readonly body: typeof Body.Ping | typeof Body.Pong;
  readonly token: number;
}
export interface GoodbyeBody {
  readonly body: typeof Body.Goodbye;
  readonly error: WireError | undefined;
  readonly sessionOver: boolean;
}
/** Another envelope, compressed as agreed in the handshake. */
export interface CompressedBody {
  readonly body: typeof Body.Compressed;
  readonly data: Uint8Array;
}
export interface CallBody {
  readonly body: typeof Body.Call;
  readonly id: number;
  readonly method: string;
  readonly kind: CallKind;
  /** Undefined: no input message (client and bidi streams). */
  readonly payload: Payload | undefined;
  /** Time that remains; undefined: no deadline. */
  readonly deadlineMs: number | undefined;
  readonly metadata: MetadataEntries | undefined;
  readonly idempotencyKey: string | undefined;
  /** Items that the caller takes before it grants more. */
  readonly credits: number | undefined;
  readonly depth: number;
  /** The call that the caller was handling for this very peer when it made this one; 0: none. */
  readonly parentId: number;
  /** The caller wants Progress. */
  readonly observed: boolean;
  /** The caller's name for the call in the logs of both ends; empty: session and id name it. */
  readonly handleId: string;
}
export interface ResultBody {
  readonly body: typeof Body.Result;
  readonly id: number;
  readonly payload: Payload | undefined;
  readonly metadata: MetadataEntries | undefined;
}
export interface FailBody {
  readonly body: typeof Body.Fail;
  readonly id: number;
  readonly error: WireError;
  readonly metadata: MetadataEntries | undefined;
}
export interface CancelBody {
  readonly body: typeof Body.Cancel;
  readonly id: number;
  readonly reason: string;
}
export interface NotifyBody {
  readonly body: typeof Body.Notify;
  readonly method: string;
  readonly payload: Payload | undefined;
  readonly metadata: MetadataEntries | undefined;
  readonly depth: number;
}
export interface ItemBody {
  readonly body: typeof Body.Item;
  readonly id: number;
  /** 1 for the first item of its direction. */
  readonly seq: number;
  readonly payload: Payload | undefined;
  /** What belongs to events and jobs; undefined for the items of a stream. */
  readonly extra: ItemExtra | undefined;
}
/** What an item says beside its payload when it is an event or a job. */
export interface ItemExtra {
  /** Events: the full name of the topic. */
  readonly topic: string;
  /** Events: how many were left out right before this one. */
  readonly lost: number;
  /** Jobs: names this delivery in `Settle`. */
  readonly delivery: number;
  /** Jobs: 1 for the first try. */
  readonly attempt: number;
  readonly metadata: MetadataEntries | undefined;
}
/** What became of a job, from its consumer. */
export interface SettleBody {
  readonly body: typeof Body.Settle;
  /** The call under which the consumer takes jobs. */
  readonly id: number;
  readonly delivery: number;
  readonly outcome: Outcome;
  /** The output, when the outcome is `ack`. */
  readonly payload: Payload | undefined;
  /** Why not, when it is another. */
  readonly error: WireError | undefined;
}
export interface CreditBody {
  readonly body: typeof Body.Credit;
  readonly id: number;
  readonly credits: number;
}
export interface EndBody {
  readonly body: typeof Body.End;
  readonly id: number;
  readonly error: WireError | undefined;
  readonly metadata: MetadataEntries | undefined;
}
export interface DrainBody {
  readonly body: typeof Body.Drain;
  readonly reason: string;
  readonly deadlineMs: number;
}
export interface ProgressBody {
  readonly body: typeof Body.Progress;
  readonly id: number;
  /** Either a value or a line of text. */
  readonly payload: Payload | undefined;
  readonly log: LogLine | undefined;
}
/** A body number that this version does not know; skipped, so that a newer peer can say more. Number 0: no body, a bare acknowledgement. */
export interface UnknownBody {
  readonly body: 0;
  readonly number: number;
}

export type Envelope =
  | HelloBody
  | ChallengeBody
  | ProofBody
  | WelcomeBody
  | PingBody
  | GoodbyeBody
  | CompressedBody
  | CallBody
  | ResultBody
  | FailBody
  | CancelBody
  | NotifyBody
  | ItemBody
  | SettleBody
  | CreditBody
  | EndBody
  | DrainBody
  | ProgressBody
  | UnknownBody;

/** An error as it travels. */
export interface WireError {
  /** Number of the status code. */
  readonly code: number;
  readonly message: string;
  readonly reason: string;
  readonly details: Payload | undefined;
  readonly retryable: boolean;
  readonly delivered: "no" | "unknown" | undefined;
  readonly stack: string;
}

/** A payload after decoding an envelope. */
export type ReceivedPayload = EncodedPayload | undefined;
