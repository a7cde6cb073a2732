import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type protobuf from "protobufjs";
import type * as bot from "./generated/bot.rpc.ts";

export const library = createRequire(import.meta.url)("protobufjs") as typeof protobuf;
export const PROTO_FOLDER: string = fileURLToPath(new URL("proto", import.meta.url));
export const BOT_PROTO: string = join(PROTO_FOLDER, "bot.proto");

/** bot.proto as protobufjs itself loads it: what our codecs are compared with. */
export function protobufjsRoot(): protobuf.Root {
  const root = new library.Root();
  root.resolvePath = (_origin, target) => {
    if (target.startsWith("google/protobuf/descriptor") || target.startsWith("rpc/")) return null;
    return target.startsWith("/") ? target : join(dirname(BOT_PROTO), target);
  };
  return root.loadSync(BOT_PROTO, { keepCase: true });
}

// Left out of protobufjs' declarations, which know of long.js only its shape.
const Long = library.util.Long as unknown as { fromString(text: string, unsigned: boolean): unknown };
const long = (value: bigint, unsigned = false): unknown => Long.fromString(value.toString(), unsigned);

export function protobufjsScalars(value: bot.Scalars): Record<string, unknown> {
  return {
    ...value,
    int64: long(value.int64),
    uint64: long(value.uint64, true),
    sint64: long(value.sint64),
    fixed64: long(value.fixed64, true),
    sfixed64: long(value.sfixed64),
  };
}

export function protobufjsLists(value: bot.Lists): Record<string, unknown> {
  return {
    ...value,
    int64: value.int64.map((item) => long(item)),
    uint64: value.uint64.map((item) => long(item, true)),
    sint64: value.sint64.map((item) => long(item)),
    fixed64: value.fixed64.map((item) => long(item, true)),
    sfixed64: value.sfixed64.map((item) => long(item)),
  };
}

const seconds = (ms: number): { seconds: unknown; nanos: number } => {
  const whole = Math.trunc(ms / 1_000);
  return { seconds: long(BigInt(whole)), nanos: (ms - whole * 1_000) * 1_000_000 };
};
const timestamp = (date: Date): unknown => {
  const whole = Math.floor(date.getTime() / 1_000);
  return { seconds: long(BigInt(whole)), nanos: (date.getTime() - whole * 1_000) * 1_000_000 };
};

function step(value: bot.BuildOrder_Step): unknown {
  return {
    command: value.command,
    arguments: value.arguments,
    ...(value.timeout === undefined ? {} : { timeout: seconds(value.timeout) }),
    fallbacks: value.fallbacks.map(step),
  };
}

function json(value: unknown): unknown {
  if (value === null) return { nullValue: 0 };
  if (typeof value === "number") return { numberValue: value };
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  return Array.isArray(value) ? { listValue: { values: value.map(json) } } : { structValue: struct(value as object) };
}

function struct(value: object): unknown {
  return { fields: Object.fromEntries(Object.entries(value).map(([key, item]) => [key, json(item)])) };
}

export function protobufjsOrder(value: bot.BuildOrder): Record<string, unknown> {
  const source = value.source;
  return {
    commit: value.commit,
    steps: value.steps.map(step),
    environment: value.environment,
    by_number: Object.fromEntries(Array.from(value.byNumber, ([key, item]) => [key, step(item)])),
    order_number: long(value.orderNumber),
    ...(value.priority === undefined ? {} : { priority: value.priority }),
    state: value.state,
    history: value.history,
    ...(value.createdAt === undefined ? {} : { created_at: timestamp(value.createdAt) }),
    ...(value.extra === undefined ? {} : { extra: struct(value.extra) }),
    ...(source === undefined ? {} : { [source.case]: source.case === "generator" ? step(source.value) : source.value }),
    ...(value.attachment === undefined
      ? {}
      : { attachment: { type_url: value.attachment.typeUrl, value: value.attachment.value } }),
    ...(value.nickname === undefined ? {} : { nickname: { value: value.nickname } }),
    seen: Object.fromEntries(Array.from(value.seen, ([key, item]) => [String(key), timestamp(item)])),
    states: Object.fromEntries(Array.from(value.states, ([key, item]) => [key.toString(), item])),
    constructor: value.constructor_,
    notes: value.notes.map(json),
    ...(value.tags === undefined ? {} : { tags: { values: value.tags.map(json) } }),
  };
}
