import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Counts } from "@rpc/core/transport";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generatePython, missingForPython as missing, python } from "../../../tools/vitest/python.ts";
import { createProtobufEnvelopeCodec } from "../src/index.ts";
import { countings, envelopes } from "./envelope-values.ts";
import * as bot from "./generated/bot.rpc.ts";
import { lists, scalars, step } from "./order-values.ts";
import "./payload-equality.ts";
import { PROTO_FOLDER } from "./protobufjs-values.ts";

const PEER = fileURLToPath(new URL("interop/peer.py", import.meta.url));
const OPTIONS = fileURLToPath(new URL("../proto", import.meta.url));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const envelopeCodec = createProtobufEnvelopeCodec();

const emptyOrder = bot.BuildOrder.create();
const emptyScalars = bot.Scalars.create();
const emptyStep = bot.BuildOrder_Step.create();

/** The values of `matrix()` in peer.py, written down once more. */
const MATRIX: readonly (readonly [string, Uint8Array])[] = [
  ["Scalars", bot.Scalars.codec.encode(emptyScalars)],
  ...[1, -1].map((sign): readonly [string, Uint8Array] => [
    "Scalars",
    bot.Scalars.codec.encode({
      int32: sign * 2_147_483_647,
      int64: BigInt(sign) * 9_223_372_036_854_775_807n,
      uint32: 4_294_967_295,
      uint64: 18_446_744_073_709_551_615n,
      sint32: sign * 2_147_483_647,
      sint64: BigInt(sign) * 9_223_372_036_854_775_807n,
      fixed32: 4_294_967_295,
      fixed64: 18_446_744_073_709_551_615n,
      sfixed32: sign * 2_147_483_647,
      sfixed64: BigInt(sign) * 9_223_372_036_854_775_807n,
      float: sign * 1.5,
      double: sign * 1e300,
      bool: true,
      string: "Größe 日本語 🎉",
      bytes: Uint8Array.from({ length: 256 }, (_, index) => index),
    }),
  ]),
  ["Scalars", bot.Scalars.codec.encode({ ...emptyScalars, float: Infinity, double: -0 })],
  [
    "Lists",
    bot.Lists.codec.encode(
      bot.Lists.create({
        int32: [0, 1, -1, 127, 128, 300],
        int64: [0n, -1n, 1n << 40n],
        sint32: [0, -1, 1],
        sint64: [-(1n << 62n)],
        fixed32: [1, 2],
        fixed64: [3n],
        float: [0, 1.5],
        double: [0.1, -0],
        bool: [true, false],
        string: ["", "a"],
        bytes: [new Uint8Array(0), new Uint8Array(1)],
        loose: [0, 1, -1],
        maybe: false,
        perhaps: "",
      }),
    ),
  ],
  [
    "BuildOrder",
    bot.BuildOrder.codec.encode({
      commit: "abc",
      orderNumber: -5n,
      priority: 0,
      state: bot.BuildState.FAILED,
      history: [1, 0, -1],
      source: { case: "archive", value: Uint8Array.of(1, 2) },
      constructor_: 2.5,
      steps: [
        {
          command: "make",
          arguments: ["-j", ""],
          timeout: 1_500,
          fallbacks: [{ ...emptyStep, command: "retry", fallbacks: [emptyStep] }],
        },
      ],
      environment: JSON.parse('{"__proto__":"data"}') as Record<string, string>,
      byNumber: new Map([[-7, { ...emptyStep, command: "seventh" }]]),
      createdAt: new Date("2026-02-03T04:05:06.789Z"),
      extra: { list: [null, true, 0, "x", { deep: -1.5 }] },
      attachment: { typeUrl: "type.googleapis.com/buildbot.Chunk", value: Uint8Array.of(10, 1, 0) },
      nickname: "nick",
      seen: new Map([[true, new Date(0)]]),
      states: new Map([[18_446_744_073_709_551_615n, bot.BuildState.RUNNING]]),
      notes: [null, ""],
      tags: [1, "two"],
    }),
  ],
  [
    "BuildOrder",
    bot.BuildOrder.codec.encode({ ...emptyOrder, source: { case: "repository", value: "" }, createdAt: new Date(-1) }),
  ],
  [
    "BuildOrder",
    bot.BuildOrder.codec.encode({
      ...emptyOrder,
      source: { case: "generator", value: { ...emptyStep, timeout: -1_500 } },
      extra: {},
      nickname: "",
    }),
  ],
];

it("finds protoc and its Python runtime where CI runs", () => {
  expect(process.env["CI"] ? missing : undefined).toBeUndefined();
});

// Only on a developer's machine without protoc: in CI the test above fails then.
describe.skipIf(missing !== undefined)(
  `beside protoc's Python code${missing === undefined ? "" : ` (skipped: ${missing})`}`,
  () => {
    let folder = "";
    let answer: { repeated: string[]; matrix: [string, string][] } = { repeated: [], matrix: [] };
    const samples: [string, Uint8Array][] = [
      ...fc.sample(scalars, 200).map((value): [string, Uint8Array] => ["Scalars", bot.Scalars.codec.encode(value)]),
      ...fc.sample(lists, 200).map((value): [string, Uint8Array] => ["Lists", bot.Lists.codec.encode(value)]),
      ...fc
        .sample(step, 100)
        .map((value): [string, Uint8Array] => [
          "BuildOrder",
          bot.BuildOrder.codec.encode({ ...emptyOrder, steps: [value] }),
        ]),
    ];
    const said = fc.sample(fc.tuple(envelopes, countings), 300);
    for (const [envelope, counts] of said) samples.push(["Envelope", envelopeCodec.encode(envelope, counts).slice()]);

    beforeAll(() => {
      const files = ["bot.proto", "shared/percent.proto", "rpc/v1/options.proto", "rpc/v1/envelope.proto"];
      folder = generatePython([PROTO_FOLDER, OPTIONS], files);
      const input = JSON.stringify({ repeat: samples.map(([name, bytes]) => [name, hex(bytes)]) });
      answer = JSON.parse(
        execFileSync(python ?? "python3", [PEER, folder], { input, encoding: "utf8" }),
      ) as typeof answer;
    }, 60_000);
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it("writes the same bytes for the same values", () => {
      expect(MATRIX.map(([name, bytes]) => [name, hex(bytes)])).toEqual(answer.matrix);
    });

    it("sends random messages that Python reads and writes again byte for byte", () => {
      expect(answer.repeated).toHaveLength(samples.length);
      for (const [index, [name, bytes]] of samples.slice(0, -said.length).entries())
        expect([name, answer.repeated[index]]).toEqual([name, hex(bytes)]);
    });

    it("sends random envelopes that Python reads and writes again with the same meaning", () => {
      const again = answer.repeated.slice(-said.length);
      for (const [index, [envelope, counts]] of said.entries()) {
        // Python sorts maps, so that the bytes may differ, but not how many there are.
        const bytes = Uint8Array.from(Buffer.from(again[index] ?? "", "hex"));
        const arrived: Counts = { ack: 99, ackRequested: true };
        expect(envelopeCodec.decode(bytes, arrived)).toEqual(envelope);
        expect(arrived).toEqual(counts);
        expect(bytes.length).toBe(samples.at(index - said.length)?.[1].length);
      }
    });
  },
);
