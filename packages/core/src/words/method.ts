import type { MADE_BY } from "./copy.ts";
import type { MessageCodec } from "./message-codec.ts";
import type { StandardResult } from "./standard-schema.ts";

/** The shapes of a call, and the two things that are no call: events (publish/subscribe) and jobs (work queue). */
export type MethodKind = "unary" | "serverStream" | "clientStream" | "bidiStream" | "notification" | "event" | "job";

/**
 * What brings the methods of one kind to life. Their definition carries it, so that a bundler leaves out the kinds that no contract names; what is
 * inside is known to the floors above: `SessionParts` of the machines, `KindParts` of the face.
 */
export interface MethodParts {
  readonly kind: MethodKind;
  readonly [MADE_BY]: object;
}

/** One message of a method: how it travels, and what proves it. */
export interface MessageShape {
  readonly codec: MessageCodec;
  /** Absent when the codec proves the shape by itself (protobuf) or when the value is dynamic. */
  readonly validate: ((value: unknown) => StandardResult<unknown> | Promise<StandardResult<unknown>>) | undefined;
  /**
   * A JSON schema, where the validator can say one; for reflection. `loose`: what JSON Schema has no word for is let pass instead of refused,
   * a Date and a bigint with `x-rpc-type` ("date", "bigint") beside the nearest type.
   */
  readonly jsonSchema: ((loose?: boolean) => unknown) | undefined;
}

/** One method, event or job of a contract, as machines see it. */
export interface MethodDescriptor {
  /** Full name on the wire: the contract's name, a dot, the method's name. */
  readonly name: string;
  readonly contract: string;
  readonly kind: MethodKind;
  readonly input: MessageShape;
  readonly output: MessageShape;
  readonly progress: MessageShape;
  /** Errors that the method declares, by reason. */
  readonly errors: ReadonlyMap<string, MessageShape>;
  /** Safe to run twice: may be retried when its fate is unknown. */
  readonly idempotent: boolean;
  /** How long a caller waits unless it says otherwise; undefined: as long as it takes. */
  readonly timeoutMs: number | undefined;
  /** Events: whether the last one of each topic is kept for who subscribes later. Default: false. */
  readonly lastValue?: boolean | undefined;
  /** Jobs: tries, the first one included. Default: the queue's. */
  readonly maxAttempts?: number | undefined;
  /** Descriptors that are written by hand have them from `methodParts(kind)`; without, they are good for unary calls by `transport.call()` and for serving what is no stream and no job. */
  readonly parts?: MethodParts | undefined;
  readonly doc: string | undefined;
}

/** A contract, as machines see it. */
export interface ContractDescriptor {
  readonly name: string;
  readonly doc: string | undefined;
  /** By short name. */
  readonly methods: ReadonlyMap<string, MethodDescriptor>;
}
