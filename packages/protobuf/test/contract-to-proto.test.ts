import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineContract, event, job, notification, serverStream, unary } from "@rpc/core";
import { DESCRIPTOR } from "@rpc/core/transport";
import * as fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { contractFromProto, contractToProto, messageFromProto } from "../src/index.ts";
import * as bot from "./generated/bot.rpc.ts";
import { order } from "./order-values.ts";

const folder = mkdtempSync(join(tmpdir(), "rpc-to-proto-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
function saved(text: string): string {
  const file = join(folder, "contract.proto");
  writeFileSync(file, text);
  return file;
}
const take = (input: z.ZodType): ReturnType<typeof defineContract> =>
  defineContract("a.S", { take: unary({ input, output: z.object({}) }) });
const problemOf = (input: z.ZodType): string => {
  try {
    return contractToProto(take(input)).proto;
  } catch (caught) {
    return (caught as Error).message;
  }
};

describe("a code-first contract", () => {
  const Bot = defineContract(
    "buildbot.Bot",
    {
      ping: unary({ output: z.literal("pong"), idempotent: true, timeoutMs: 2_000, doc: "Answers at once." }),
      build: unary({
        input: z.object({
          commit: z.string().describe("full hash"),
          steps: z.array(z.object({ command: z.string(), arguments: z.array(z.string()).optional() })),
          environment: z.record(z.string(), z.string()),
          priority: z.int32().optional(),
          size: z.number().nullable(),
          state: z.enum(["idle", "at work"]),
          source: z.discriminatedUnion("kind", [
            z.object({ kind: z.literal("git"), url: z.string() }),
            z.object({ kind: z.literal("archive"), length: z.int() }),
          ]),
          extra: z.unknown(),
        }),
        output: z.object({ ok: z.boolean() }),
        progress: z.number(),
        errors: { NoSuchCommit: z.object({ commit: z.string() }) },
      }),
      log: serverStream({ input: z.object({ build: z.uint32() }), output: z.object({ text: z.string() }) }),
      wake: notification({ input: z.object({ reason: z.string() }) }),
      states: event({ payload: z.object({ state: z.string() }) }),
      jobs: job({ input: z.object({ a: z.string() }), output: z.object({ b: z.string() }) }),
    },
    { doc: "What a master asks." },
  );

  it("becomes a .proto that reads back as the same contract", () => {
    const { proto } = contractToProto(Bot);
    const back = contractFromProto(saved(proto), "buildbot.Bot")[DESCRIPTOR];
    const outline = (descriptor: typeof back): unknown =>
      Array.from(descriptor.methods.values(), ({ name, kind, idempotent, timeoutMs, doc, errors }) => ({
        name,
        kind,
        idempotent,
        timeoutMs,
        doc,
        errors: [...errors.keys()],
      }));
    expect(outline(back)).toEqual(outline(Bot[DESCRIPTOR]));
    expect(proto).toMatchSnapshot();
  });

  it("keeps numbers in the lock: what moves keeps its own, what goes is reserved, what changes its type gets a new one", () => {
    const first = contractToProto(take(z.object({ a: z.string(), b: z.string(), c: z.boolean() })));
    const second = contractToProto(take(z.object({ c: z.boolean(), d: z.string(), a: z.number() })), {
      lock: first.lock,
    });
    expect(second.proto).toContain(
      '  reserved 1, 2;\n  reserved "b";\n  bool c = 3;\n  string d = 4;\n  double a = 5;',
    );
    const third = contractToProto(take(z.object({ b: z.string() })), {
      lock: JSON.parse(JSON.stringify(second.lock)) as typeof second.lock,
    });
    expect(third.proto).toContain("string b = 2;");
    expect(contractToProto(take(z.object({ b: z.string() })), { lock: third.lock })).toEqual(third);
  });

  it("keeps numbers of enums too", () => {
    const first = contractToProto(take(z.object({ state: z.enum(["idle", "busy"]) })));
    const { proto } = contractToProto(take(z.object({ state: z.enum(["busy", "gone"]) })), { lock: first.lock });
    expect(proto).toContain(
      'reserved 1;\n  reserved "TAKE_REQUEST_STATE_IDLE";\n  TAKE_REQUEST_STATE_UNSPECIFIED = 0;\n  // "busy"\n  TAKE_REQUEST_STATE_BUSY = 2;\n  // "gone"\n  TAKE_REQUEST_STATE_GONE = 3;',
    );
  });

  it("can hold a shape that holds itself", () => {
    const Tree: z.ZodType = z.object({
      name: z.string(),
      get children() {
        return z.array(Tree);
      },
    });
    expect(problemOf(Tree)).toContain("repeated TakeRequest children = 2;");
  });

  it.for([
    [
      "take.input.list[] is a list or record inside a list: put it into an object",
      z.object({ list: z.array(z.array(z.string())) }),
    ],
    ["take.input is a list; protobuf wants a message there", z.array(z.string())],
    ["take.input.pair uses prefixItems of JSON schema", z.object({ pair: z.tuple([z.string(), z.number()]) })],
    ["take.input.snake_case cannot be a field", z.object({ snake_case: z.string() })],
    ["take.input cannot be said as JSON schema", z.object({ when: z.date() })],
    ['take.input.word has the value "-"', z.object({ word: z.enum(["-", "+"]) })],
  ] as const)("is refused with the path where protobuf has no equivalent: %s", ([problem, input]) => {
    expect(problemOf(input)).toContain(problem);
  });
});

describe("a contract from a .proto, written out again", () => {
  const { proto } = contractToProto(
    defineContract("buildbot.Again", { build: unary({ input: bot.BuildOrder, output: bot.BuildResult }) }),
  );

  it("has the same messages, byte for byte", () => {
    const again = messageFromProto<bot.BuildOrder>(saved(proto), "buildbot.BuildOrder");
    fc.assert(
      fc.property(order, (value) => {
        expect(again.codec.encode(value)).toEqual(bot.BuildOrder.codec.encode(value));
      }),
    );
  });

  it("holds one package only", () => {
    const other = defineContract("other.S", { build: unary({ input: bot.BuildOrder }) });
    expect(() => contractToProto(other)).toThrow("build.input uses the message buildbot.BuildOrder of another package");
  });
});
