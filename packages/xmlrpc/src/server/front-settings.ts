import type { RpcError } from "@rpc/core";
import type { DocumentCodec } from "../codec/document-codec.ts";
import type { Fault } from "../fault.ts";

/** What both front ends need to know. */
export interface FrontSettings {
  readonly codec: DocumentCodec;
  readonly profile: string;
  /** Whether the dialect has a word for "nothing"; otherwise a method without a result answers `true`. */
  readonly hasNil: boolean;
  readonly jsonRpc: boolean;
  /** Whether the mistakes of a document have an HTTP status of their own. */
  readonly faultStatus: "always200" | "rpc2";
  readonly maxCallsPerBatch: number;
  /** Whether errors carry their stack. */
  readonly exposeStacks: boolean;
  readonly faultOf: (thrown: unknown) => Fault;
  /** What headers say of an error beyond its fault; names in lower case. */
  readonly errorHeaders: (thrown: unknown, method: string) => Readonly<Record<string, string>>;
  readonly onError: (error: RpcError) => void;
}
