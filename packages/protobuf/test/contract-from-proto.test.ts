import { spawnSync } from "node:child_process";
import { createClient, createMemoryTransport, createRouter, type Contract, type MethodDefinition } from "@rpc/core";
import { DESCRIPTOR } from "@rpc/core/transport";
import { describe, expect, it } from "vitest";
import { contractFromProto } from "../src/index.ts";
import * as bot from "./generated/bot.rpc.ts";
import { BOT_PROTO, library, protobufjsRoot } from "./protobufjs-values.ts";

const described = (contract: Contract): unknown =>
  Array.from(
    contract[DESCRIPTOR].methods.values(),
    ({ name, kind, idempotent, timeoutMs, errors, doc, input, output, progress }) => ({
      name,
      kind,
      idempotent,
      timeoutMs,
      errors: [...errors.keys()],
      doc,
      schemas: [input, output, progress].map((shape) => shape.jsonSchema !== undefined),
    }),
  );

describe("a contract from a .proto", () => {
  it("has the methods, kinds and options that the .proto says", () => {
    expect(described(bot.Bot)).toMatchObject([
      { name: "buildbot.Bot.ping", kind: "unary", idempotent: true, timeoutMs: 2_000, doc: "Answers at once." },
      {
        name: "buildbot.Bot.build",
        kind: "unary",
        idempotent: false,
        errors: ["NoSuchCommit", "Busy"],
        schemas: [true, true, true],
      },
      { name: "buildbot.Bot.log", kind: "serverStream" },
      { name: "buildbot.Bot.upload", kind: "clientStream" },
      { name: "buildbot.Bot.shell", kind: "bidiStream" },
      { name: "buildbot.Bot.wake", kind: "notification" },
    ]);
    expect(described(bot.Board)).toMatchObject([
      { name: "buildbot.Board.states", kind: "event" },
      { name: "buildbot.Board.jobs", kind: "job", idempotent: true },
    ]);
  });

  it("is the same from a file, from a Root, and from generated code", () => {
    const fromFile = contractFromProto(BOT_PROTO, "buildbot.Bot");
    const { doc: _doc, ...first } = (described(fromFile) as { doc?: string }[])[0] ?? {};
    expect(described(fromFile)).toEqual(described(bot.Bot));
    // protobufjs keeps no line comments when it loads files by itself.
    expect(described(contractFromProto(protobufjsRoot(), "buildbot.Bot"))).toMatchObject([first, {}, {}, {}, {}, {}]);
    expect(contractFromProto(new URL(`file://${BOT_PROTO}`), "buildbot.Bot")[DESCRIPTOR].name).toBe("buildbot.Bot");
  });

  it("reads options of a Root that went through JSON", () => {
    const json = {
      nested: {
        M: { fields: {} },
        S: {
          methods: {
            A: {
              requestType: "M",
              responseType: "M",
              options: { "(rpc.v1.method).kind": "JOB", "(rpc.v1.method).max_attempts": 2 },
            },
          },
        },
      },
    };
    expect(described(contractFromProto(library.Root.fromJSON(json), "S"))).toMatchObject([
      { name: "S.a", kind: "job" },
    ]);
  });

  it("tells which services there are when the name is wrong", () => {
    expect(() => contractFromProto(BOT_PROTO, "buildbot.Boot")).toThrow(
      'there is no service "buildbot.Boot"; there is buildbot.Bot, buildbot.Board',
    );
  });

  it("carries calls and streams between a generated client and a router made at run time", async () => {
    interface Methods {
      readonly [name: string]: MethodDefinition;
      readonly ping: MethodDefinition<"unary">;
    }
    const contract = contractFromProto<Methods>(BOT_PROTO, "buildbot.Bot") as unknown as typeof bot.Bot;
    const router = createRouter(contract, {
      ping: () => "pong",
      build: (order, context) => {
        context.progress({ percent: 50 });
        if (order.commit === "") throw bot.Bot.build.error("NoSuchCommit", { commit: "none" });
        return { ok: order.orderNumber === 7n, took: 1_500 };
      },
      log: async function* ({ build }) {
        yield { text: `line of ${build}`, at: new Date(5) };
      },
      upload: async (chunks) => {
        let bytes = 0n;
        for await (const { data } of chunks) bytes += BigInt(data.length);
        return { bytes };
      },
      shell: (keys) => keys,
      wake: () => undefined,
    });
    const client = createClient(bot.Bot, createMemoryTransport(router));
    expect(await client.ping({})).toBe("pong");
    expect(await client.build(bot.BuildOrder.create({ commit: "abc", orderNumber: 7n }))).toEqual({
      ok: true,
      took: 1_500,
    });
    const failure: unknown = await client.build(bot.BuildOrder.create()).catch((caught: unknown) => caught);
    expect(bot.Bot.build.isError(failure, "NoSuchCommit") && failure.details.commit).toBe("none");
    const lines: bot.LogLine[] = [];
    for await (const line of client.log({ build: 3 })) lines.push(line);
    expect(lines).toEqual([{ text: "line of 3", at: new Date(5) }]);
    expect(await client.upload([{ data: new Uint8Array(3) }, { data: new Uint8Array(4) }])).toEqual({ bytes: 7n });
    await expect(client.build({ commit: 5 } as never)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("H105 is never made of a descriptor that came as bytes or as a peer's JSON", () => {
    const descriptor = new Uint8Array([10, 7, 10, 1, 97, 34, 2, 10, 0]);
    expect(() => contractFromProto(descriptor as never, "S")).toThrow(
      "a contract is read from a .proto file or a protobufjs Root",
    );
    expect(() => contractFromProto({ nested: { S: { methods: {} } } } as never, "S")).toThrow(
      "a contract is read from",
    );
  });

  it("leaves protobufjs and files alone until a file is asked for, so that the package loads in browsers", () => {
    const program = `
      import { createRequire } from "node:module";
      await import(${JSON.stringify(new URL("../src/index.ts", import.meta.url).href)});
      await import(${JSON.stringify(new URL("../src/generated.ts", import.meta.url).href)});
      console.log(Object.keys(createRequire(import.meta.url).cache).length);`;
    const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
    expect(stdout).toBe("0\n");
  });
});
