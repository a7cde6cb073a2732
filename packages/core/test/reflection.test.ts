import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  createClient,
  createRouter,
  defineContract,
  mergeRouters,
  Reflection,
  reflection,
  serverStream,
  unary,
} from "../src/index.ts";
import { failure, memory } from "./rig.ts";

const Bot = defineContract(
  "test.Bot",
  {
    build: unary({
      input: z.object({ commit: z.string() }),
      output: z.object({ ok: z.boolean() }),
      idempotent: true,
      timeoutMs: 2_000,
      doc: "builds a commit",
      errors: { NoSuchCommit: undefined },
    }),
    log: serverStream({ output: type({ line: "string" }) }),
    odd: unary({ input: v.object({ a: v.string() }), output: z.string().transform((text) => text.length) }),
  },
  { doc: "a build bot" },
);
const bot = createRouter(Bot, { build: () => ({ ok: true }), log: () => [], odd: () => "x" });

function rig() {
  return createClient(Reflection, memory(mergeRouters(bot, reflection(bot))));
}

describe("reflection", () => {
  it("C55 lists the contracts that are served", async () => {
    expect(await rig().listContracts()).toEqual(["test.Bot"]);
  });

  it("C55 describes a contract with its methods, kinds, docs and errors", async () => {
    const listing = await rig().describe("test.Bot");
    expect(listing).toMatchObject({ name: "test.Bot", doc: "a build bot" });
    expect(listing.methods.map(({ name, kind }) => [name, kind])).toEqual([
      ["build", "unary"],
      ["log", "serverStream"],
      ["odd", "unary"],
    ]);
    expect(listing.methods[0]).toMatchObject({
      doc: "builds a commit",
      idempotent: true,
      timeoutMs: 2_000,
      errors: ["NoSuchCommit"],
    });
    expect(listing.methods[1]).toMatchObject({ idempotent: false, errors: [] });
  });

  it("C55 gives JSON schemas where the validators can say one", async () => {
    const { methods } = await rig().describe("test.Bot");
    expect(methods[0]?.input).toMatchObject({
      type: "object",
      properties: { commit: { type: "string" } },
      required: ["commit"],
    });
    expect(methods[1]?.output).toMatchObject({ type: "object", required: ["line"] });
  });

  it("C55 says nothing of a shape that has no JSON schema", async () => {
    const { methods } = await rig().describe("test.Bot");
    expect(methods[1]?.input).toBeUndefined();
    expect(methods[2]?.input).toBeUndefined();
  });

  it("C55 tells enough to call a method without its contract", async () => {
    const transport = memory(mergeRouters(bot, reflection(bot)));
    const [name] = await createClient(Reflection, transport).listContracts();
    const listing = await createClient(Reflection, transport).describe(name ?? "");
    const methods = Object.fromEntries(
      listing.methods.filter(({ kind }) => kind === "unary").map((method) => [method.name, unary()]),
    );
    const dynamic = createClient(defineContract(listing.name, methods), transport);
    expect(await dynamic["build"]?.({ commit: "abc" })).toEqual({ ok: true });
  });

  it.each(["test.Absent", "", "__proto__", "constructor"])("has no contract named %j", async (name) => {
    expect(await failure(rig().describe(name))).toMatchObject({ code: "NOT_FOUND", reason: "CONTRACT_NOT_FOUND" });
  });

  it("H76 refuses a name that is no text", async () => {
    expect(await failure(rig().describe(["test.Bot"] as never))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("is not served unless it was asked for", async () => {
    expect(await failure(createClient(Reflection, memory(bot)).listContracts())).toMatchObject({
      code: "UNIMPLEMENTED",
    });
  });
});
