/** Pins what a user's compiler infers. Nothing here runs; `tsc -p test` proves it. */
import { type } from "arktype";
import * as v from "valibot";
import { expectTypeOf } from "vitest";
import { z } from "zod";
import {
  bidiStream,
  type CallContext,
  type CallHandle,
  type CallOptions,
  type ClientOf,
  clientStream,
  createClient,
  createRouter,
  defineContract,
  event,
  type HandlerContext,
  type ImplementationOf,
  job,
  type LogLine,
  notification,
  type RpcError,
  serverStream,
  type Transport,
  unary,
} from "../src/index.ts";

declare const transport: Transport;
declare const caught: unknown;
declare const ctx: CallContext;

const Bot = defineContract("buildbot.Bot", {
  ping: unary({ output: z.literal("pong"), idempotent: true, timeoutMs: 2_000 }),
  build: unary({
    input: z.object({ commit: z.string(), clean: z.boolean().default(false) }),
    output: z.object({ ok: z.boolean(), at: z.coerce.date() }),
    progress: z.number(),
    errors: { NoSuchCommit: z.object({ commit: z.string() }), Busy: undefined },
  }),
  log: serverStream({ input: v.object({ build: v.number() }), output: v.string() }),
  upload: clientStream({ input: type({ bytes: "string" }), output: type({ total: "number" }) }),
  shell: bidiStream({ input: z.string(), output: z.number() }),
  wake: notification({ input: z.object({ reason: z.string() }) }),
  states: event({ payload: z.string() }),
  jobs: job({ input: z.string(), output: z.number(), maxAttempts: 3 }),
  anything: unary(),
  anyStream: serverStream(),
});
const bot = createClient(Bot, transport);

// ---- a call

expectTypeOf(bot.ping()).toEqualTypeOf<Promise<"pong">>();
expectTypeOf(bot.build({ commit: "abc" })).toEqualTypeOf<Promise<{ ok: boolean; at: Date }>>();
expectTypeOf(bot.anything()).toEqualTypeOf<Promise<unknown>>();
expectTypeOf(bot.anything({ any: ["value"] }, { timeoutMs: 5 })).toEqualTypeOf<Promise<unknown>>();
expectTypeOf(bot.wake({ reason: "x" })).toEqualTypeOf<Promise<void>>();
// A handler's own context is a set of options.
void bot.build({ commit: "abc", clean: true }, ctx);
void bot.build(
  { commit: "abc" },
  { timeoutMs: 1, signal: new AbortController().signal, metadata: { a: "b" }, idempotencyKey: "k" },
);

// @ts-expect-error -- the input is due
void bot.build();
// @ts-expect-error -- a member of the input is missing
void bot.build({});
// @ts-expect-error -- a member of the input has the wrong type
void bot.build({ commit: 7 });
// @ts-expect-error -- a member of the input is unknown
void bot.build({ commit: "abc", color: "red" });
// @ts-expect-error -- an option is unknown
void bot.build({ commit: "abc" }, { timeout: 5 });
// @ts-expect-error -- the method is unknown
void bot.destroy();
// @ts-expect-error -- a client holds nothing but methods
void bot.then;
// @ts-expect-error -- a client is not to be changed
bot.ping = () => Promise.resolve("pong");

// ---- input that may be left out

const Optional = defineContract("test.Optional", {
  zod: unary({ input: z.string().optional() }),
  valibot: unary({ input: v.optional(v.string()) }),
  arktype: unary({ input: type("string | undefined") }),
  stream: serverStream({ input: z.number().default(5) }),
});
const optional = createClient(Optional, transport);
void optional.zod();
void optional.zod("x");
void optional.zod(undefined, { timeoutMs: 5 });
void optional.valibot();
void optional.arktype();
void optional.stream();
// @ts-expect-error -- what may be left out may not be anything
void optional.zod(5);

// ---- what a caller sends and what a handler gets, where a schema changes values

const Changing = defineContract("test.Changing", {
  zod: unary({ input: z.string().transform((text) => text.length), output: z.number().transform((n) => String(n)) }),
  valibot: unary({
    input: v.pipe(
      v.string(),
      v.transform((text) => text.length),
    ),
    output: v.pipe(
      v.number(),
      v.transform((n) => String(n)),
    ),
  }),
  arktype: unary({ input: type("string").pipe((text) => text.length), output: type("number").pipe((n) => String(n)) }),
});
const changing = createClient(Changing, transport);
expectTypeOf(changing.zod).parameter(0).toEqualTypeOf<string>();
expectTypeOf(changing.valibot).parameter(0).toEqualTypeOf<string>();
expectTypeOf(changing.arktype).parameter(0).toEqualTypeOf<string>();
expectTypeOf(changing.zod("x")).toEqualTypeOf<Promise<string>>();
expectTypeOf(changing.valibot("x")).toEqualTypeOf<Promise<string>>();
expectTypeOf(changing.arktype("x")).toEqualTypeOf<Promise<string>>();
createRouter(Changing, {
  zod: (length) => {
    expectTypeOf(length).toEqualTypeOf<number>();
    return length;
  },
  valibot: (length) => {
    expectTypeOf(length).toEqualTypeOf<number>();
    return length;
  },
  arktype: (length) => {
    expectTypeOf(length).toEqualTypeOf<number>();
    return length;
  },
});

// ---- streams

expectTypeOf(bot.log({ build: 7 })).toEqualTypeOf<AsyncIterable<string>>();
expectTypeOf(bot.anyStream()).toEqualTypeOf<AsyncIterable<unknown>>();
expectTypeOf(bot.upload([{ bytes: "x" }])).toEqualTypeOf<Promise<{ total: number }>>();
expectTypeOf(bot.shell(new Set(["ls"]))).toEqualTypeOf<AsyncIterable<number>>();
void bot.upload(
  (async function* () {
    yield { bytes: "x" };
  })(),
);
// @ts-expect-error -- the items have the wrong type
void bot.upload([{ bytes: 5 }]);
// @ts-expect-error -- a stream of items is due, not one item
void bot.upload({ bytes: "x" });
// @ts-expect-error -- an input stream cannot be left out
void bot.shell();
// @ts-expect-error -- streams have no handle
void bot.log.start({ build: 7 });
// @ts-expect-error -- notifications have no handle
void bot.wake.start({ reason: "x" });

// ---- handles

const handle = bot.build.start({ commit: "abc" }, { timeoutMs: 5 });
expectTypeOf(handle).toEqualTypeOf<CallHandle<{ ok: boolean; at: Date }, number>>();
expectTypeOf(handle.id).toEqualTypeOf<string>();
expectTypeOf(handle.state).toEqualTypeOf<"running" | "done" | "failed" | "cancelled">();
expectTypeOf(handle.progress).toEqualTypeOf<AsyncIterable<number>>();
expectTypeOf(handle.log).toEqualTypeOf<AsyncIterable<LogLine>>();
expectTypeOf(handle.cancel("reason")).toEqualTypeOf<Promise<void>>();
expectTypeOf<Awaited<typeof handle>>().toEqualTypeOf<{ ok: boolean; at: Date }>();
expectTypeOf(bot.ping.start()).toEqualTypeOf<CallHandle<"pong">>();
// @ts-expect-error -- the input is due here as well
void bot.build.start();

// ---- errors

if (Bot.build.isError(caught, "NoSuchCommit")) {
  expectTypeOf(caught.details.commit).toEqualTypeOf<string>();
  expectTypeOf(caught.reason).toEqualTypeOf<"NoSuchCommit">();
  expectTypeOf(caught).toExtend<RpcError>();
} else if (Bot.build.isError(caught, "Busy")) {
  expectTypeOf(caught.details).toBeUnknown();
} else {
  expectTypeOf(caught).toBeUnknown();
}
expectTypeOf(Bot.build.error("NoSuchCommit", { commit: "abc" })).toEqualTypeOf<RpcError<{ commit: string }>>();
void Bot.build.error("NoSuchCommit", { commit: "abc" }, { code: "NOT_FOUND", message: "gone" });
// @ts-expect-error -- the details have the wrong type
void Bot.build.error("NoSuchCommit", { commit: 7 });
// @ts-expect-error -- the code is none of the sixteen
void Bot.build.error("NoSuchCommit", { commit: "abc" }, { code: "OOPS" });
// @ts-expect-error -- the method does not declare this error
void Bot.build.error("OutOfPaper", {});
// @ts-expect-error -- the method does not declare this error
void Bot.build.isError(caught, "OutOfPaper");
// @ts-expect-error -- this method declares none at all
void Bot.ping.isError(caught, "NoSuchCommit");

// ---- handlers

const Small = defineContract("test.Small", {
  a: unary({ output: z.number() }),
  s: serverStream({ output: z.string() }),
});

createRouter(Bot, {
  ping: () => "pong",
  build: async (order, own) => {
    expectTypeOf(order).toEqualTypeOf<{ commit: string; clean: boolean }>();
    expectTypeOf(own).toEqualTypeOf<HandlerContext>();
    expectTypeOf(own.peer.client(Small).a()).toEqualTypeOf<Promise<number>>();
    return Promise.resolve({ ok: order.clean, at: "2024-01-01" });
  },
  log: async function* (query) {
    expectTypeOf(query).toEqualTypeOf<{ build: number }>();
    yield "line";
  },
  upload: async (chunks) => {
    expectTypeOf(chunks).toEqualTypeOf<AsyncIterable<{ bytes: string }>>();
    return Promise.resolve({ total: 5 });
  },
  shell: (keys) => {
    expectTypeOf(keys).toEqualTypeOf<AsyncIterable<string>>();
    return [1, 2];
  },
  wake: ({ reason }) => {
    expectTypeOf(reason).toEqualTypeOf<string>();
  },
  jobs: {
    concurrency: 4,
    handle: (input, own) => {
      expectTypeOf(input).toEqualTypeOf<string>();
      expectTypeOf(own.attempt).toEqualTypeOf<number>();
      return 5;
    },
  },
  anything: (input) => {
    expectTypeOf(input).toBeUnknown();
    return input;
  },
  anyStream: () => [],
});

// @ts-expect-error -- a method is missing
createRouter(Small, { a: () => 1 });
// @ts-expect-error -- a method is unknown
createRouter(Small, { a: () => 1, s: () => [], b: () => 2 });
// @ts-expect-error -- an output has the wrong type
createRouter(Small, { a: () => "one", s: () => [] });
// @ts-expect-error -- an output must be a stream
createRouter(Small, { a: () => 1, s: () => 5 });
// @ts-expect-error -- the items of a stream have the wrong type
createRouter(Small, { a: () => 1, s: () => [5] });
// @ts-expect-error -- an event needs no handler
createRouter(defineContract("test.E", { a: unary(), states: event() }), { a: () => 1, states: () => 1 });

// ---- the types of a contract, by name

expectTypeOf<keyof ImplementationOf<typeof Bot>>().toEqualTypeOf<
  "ping" | "build" | "log" | "upload" | "shell" | "wake" | "jobs" | "anything" | "anyStream"
>();
expectTypeOf<ImplementationOf<typeof Small>["a"]>().toEqualTypeOf<
  (input: unknown, context: HandlerContext) => number | Promise<number>
>();
expectTypeOf<ClientOf<typeof Small>["s"]>().toEqualTypeOf<
  (input?: unknown, options?: CallOptions) => AsyncIterable<string>
>();

// A class is an implementation like any other.
class SmallService implements ImplementationOf<typeof Small> {
  a(): number {
    return 1;
  }
  s(): string[] {
    return ["x"];
  }
}
createRouter(Small, new SmallService());

// A peer's client has the same types.
if (ctx.peer !== undefined) expectTypeOf(ctx.peer.client(Small).a()).toEqualTypeOf<Promise<number>>();

// @ts-expect-error -- what is no schema is refused
unary({ input: "string" });
// @ts-expect-error -- notifications have no output
notification({ output: z.string() });
// @ts-expect-error -- a contract is made of definitions
defineContract("test.Wrong", { a: z.string() });
