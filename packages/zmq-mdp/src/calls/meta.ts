import { randomUUID } from "node:crypto";
import { Metadata, RpcError } from "@rpc/core";
import type { CallContext, MethodKind } from "@rpc/core/transport";

/** What travels beside input and output, in the member `$meta` of the data. Foreign peers neither send nor miss it. */
export interface CallMeta {
  /** What its caller takes the method for; left out for unary calls. */
  readonly kind: MethodKind | undefined;
  /** What is left of the call's time, in ms. */
  readonly timeoutMs: number | undefined;
  /** The caller's id of the call, when it reads it. */
  readonly id: string | undefined;
  readonly idempotencyKey: string | undefined;
  /** Random for each process of a caller: whose idempotency keys are whose. */
  readonly instanceId: string;
  readonly depth: number;
  readonly metadata: Metadata | undefined;
  /** Input and output are protobuf, in a frame behind the data. */
  readonly isBinary: boolean;
}

export const NO_META: CallMeta = {
  kind: undefined,
  timeoutMs: undefined,
  id: undefined,
  idempotencyKey: undefined,
  instanceId: "",
  depth: 0,
  metadata: undefined,
  isBinary: false,
};

/** Calls that call on over gateways go no deeper than this. */
const MAX_DEPTH = 32;
const INSTANCE = randomUUID().replaceAll("-", "");

/** A call's `$meta` as JSON; "" when there is nothing to say. Throws RESOURCE_EXHAUSTED for metadata over the limit. */
export function metaTextOf(context: CallContext, remainingMs: number | undefined, maxMetadataBytes: number): string {
  const { method, idempotencyKey, depth } = context;
  let text = "";
  if (remainingMs !== undefined) text = `"timeoutMs":${remainingMs}`;
  if (
    method.kind === "unary" &&
    idempotencyKey === undefined &&
    depth === 0 &&
    !context.observed &&
    !context.hasMetadata
  )
    return text;
  const meta: Record<string, unknown> = {};
  if (method.kind !== "unary") meta["kind"] = method.kind;
  if (context.observed) meta["id"] = context.id;
  if (idempotencyKey !== undefined) {
    if (!idempotencyKey.isWellFormed())
      throw new RpcError("INVALID_ARGUMENT", "the idempotency key has a lone surrogate", {
        reason: "INVALID_ARGUMENT",
      });
    meta["key"] = idempotencyKey;
    meta["instance"] = INSTANCE;
  }
  if (depth > 0) meta["depth"] = depth;
  if (context.hasMetadata) meta["metadata"] = entriesOf(context.metadata, maxMetadataBytes);
  const rest = JSON.stringify(meta).slice(1, -1);
  return text === "" || rest === "" ? text + rest : `${text},${rest}`;
}

/** Metadata as it travels: a record of texts. Throws RESOURCE_EXHAUSTED for what is over the limit. */
export function entriesOf(metadata: Metadata, maxBytes: number): Readonly<Record<string, string>> {
  checkSize(metadata, maxBytes);
  return Object.fromEntries(metadata);
}

/** Reads a `$meta` member. What is of another type is left out; throws RESOURCE_EXHAUSTED for what goes beyond the limits. */
export function readMeta(value: unknown, maxMetadataBytes: number): CallMeta {
  if (typeof value !== "object" || value === null) return NO_META;
  const depth = numberIn(value, "depth") ?? 0;
  if (depth > MAX_DEPTH)
    throw new RpcError("RESOURCE_EXHAUSTED", `calls that call on went deeper than ${MAX_DEPTH}; is there a loop?`, {
      reason: "maxDepth",
    });
  const instance = textIn(value, "instance") ?? "";
  const id = textIn(value, "id");
  return {
    kind: kindOf(textIn(value, "kind")),
    timeoutMs: numberIn(value, "timeoutMs"),
    id: id !== undefined && /^[!-~]{1,100}$/.test(id) ? id : undefined,
    idempotencyKey: textIn(value, "key"),
    instanceId: /^[0-9a-f]{32}$/.test(instance) ? instance : "",
    depth,
    metadata: readEntries(ownMember(value, "metadata"), maxMetadataBytes),
    isBinary: ownMember(value, "body") === "protobuf",
  };
}

/** Metadata as it came; undefined: none. */
export function readEntries(value: unknown, maxBytes: number): Metadata | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const metadata = new Metadata();
  for (const [key, each] of Object.entries(value)) {
    if (typeof each !== "string") continue;
    try {
      metadata.set(key, each);
    } catch {
      // Control characters, no token: data of a peer, never worth the call.
    }
  }
  checkSize(metadata, maxBytes);
  return metadata.size > 0 ? metadata : undefined;
}

export function ownMember(value: object, name: string): unknown {
  return Object.hasOwn(value, name) ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}

function checkSize(metadata: Metadata, maxBytes: number): void {
  if (metadata.lengthInCharacters <= maxBytes) return;
  throw new RpcError("RESOURCE_EXHAUSTED", `metadata is larger than ${maxBytes} bytes`, { reason: "maxMetadataBytes" });
}

function textIn(value: object, name: string): string | undefined {
  const member = ownMember(value, name);
  return typeof member === "string" && member !== "" ? member : undefined;
}

function numberIn(value: object, name: string): number | undefined {
  const member = ownMember(value, name);
  return typeof member === "number" && Number.isFinite(member) ? member : undefined;
}

const KINDS: Readonly<Record<string, MethodKind>> = {
  notification: "notification",
  serverStream: "serverStream",
  clientStream: "clientStream",
  bidiStream: "bidiStream",
};

function kindOf(text: string | undefined): MethodKind | undefined {
  return text !== undefined && Object.hasOwn(KINDS, text) ? KINDS[text] : undefined;
}
