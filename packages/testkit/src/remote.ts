import {
  bidiStream,
  clientStream,
  type Contract,
  createRouter,
  defineContract,
  type MethodDefinition,
  type MethodKind,
  type NoErrors,
  notification,
  RpcError,
  serverStream,
  type StatusCode,
  unary,
} from "@rpc/core";
import type { CallContext, Handler } from "@rpc/core/transport";
import { collect, createGate } from "./gate.ts";

/** A method without schemas. */
type Dynamic<Kind extends MethodKind> = MethodDefinition<Kind, undefined, undefined, undefined, NoErrors>;

/** What the program at the far end of a two-process run serves. */
export const Remote: Contract<{
  readonly process: Dynamic<"unary">;
  readonly echo: Dynamic<"unary">;
  readonly fail: Dynamic<"unary">;
  readonly metadata: Dynamic<"unary">;
  readonly hang: Dynamic<"unary">;
  readonly journal: Dynamic<"unary">;
  readonly callBack: Dynamic<"unary">;
  readonly count: Dynamic<"serverStream">;
  readonly sum: Dynamic<"clientStream">;
  readonly talk: Dynamic<"bidiStream">;
  readonly note: Dynamic<"notification">;
}> = defineContract("testkit.Remote", {
  process: unary(),
  echo: unary(),
  fail: unary(),
  metadata: unary(),
  hang: unary(),
  journal: unary(),
  callBack: unary(),
  count: serverStream(),
  sum: clientStream(),
  talk: bidiStream(),
  note: notification(),
});

/** What the near end serves to it. */
export const Near: Contract<{ readonly answer: Dynamic<"unary"> }> = defineContract("testkit.Near", {
  answer: unary(),
});

/** What has happened at the far end, for the near end to ask. */
export interface RemoteJournal {
  readonly entered: number;
  readonly aborted: readonly string[];
  readonly notes: readonly unknown[];
}

/**
 * The handler of the far end: a program of its own serves it and tells the suite its endpoint. `name` tells one process from
 * another, such as a process id.
 */
export function createRemoteHandler(name: string): Handler {
  let entered = 0;
  const aborted: string[] = [];
  const notes: unknown[] = [];
  return createRouter(Remote, {
    process: () => name,
    echo: (input) => input,
    fail: (input) => {
      const { code, message, details } = input as { code: StatusCode; message: string; details: unknown };
      throw new RpcError(code, message, { reason: "ASKED_FOR", details });
    },
    metadata: (_, ctx) => {
      ctx.responseMetadata.set("x-back", "there and back");
      return ctx.metadata.get("x-there");
    },
    hang: (_, ctx) => {
      entered += 1;
      const gate = createGate();
      ctx.signal.addEventListener("abort", () => {
        aborted.push(RpcError.from(ctx.signal.reason).code);
        gate.open();
      });
      return gate.passed;
    },
    journal: (): RemoteJournal => ({ entered, aborted: [...aborted], notes: [...notes] }),
    callBack: (input, ctx) => nearOf(ctx).answer(input),
    count: async function* (input) {
      for (let i = 0; i < (input as number); i += 1) yield i;
    },
    sum: async (input) => (await collect(input)).reduce<number>((sum, item) => sum + (item as number), 0),
    talk: async function* (input) {
      for await (const item of input) yield [item];
    },
    note: (input) => void notes.push(input),
  });
}

function nearOf(ctx: CallContext): { readonly answer: (input?: unknown) => Promise<unknown> } {
  if (ctx.peer === undefined) throw new RpcError("INTERNAL", "the context has no peer");
  return ctx.peer.client(Near);
}
