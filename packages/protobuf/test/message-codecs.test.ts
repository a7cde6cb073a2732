import type { MessageType } from "@rpc/core";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messageFromProto } from "../src/index.ts";
import * as bot from "./generated/bot.rpc.ts";
import { lists, order, scalars } from "./order-values.ts";
import { BOT_PROTO, protobufjsLists, protobufjsOrder, protobufjsRoot, protobufjsScalars } from "./protobufjs-values.ts";

const root = protobufjsRoot();

const CASES: readonly (readonly [
  string,
  MessageType<never>,
  fc.Arbitrary<unknown>,
  (value: never) => Record<string, unknown>,
])[] = [
  ["Scalars", bot.Scalars as unknown as MessageType<never>, scalars, protobufjsScalars],
  ["Lists", bot.Lists as unknown as MessageType<never>, lists, protobufjsLists],
  ["BuildOrder", bot.BuildOrder as unknown as MessageType<never>, order, protobufjsOrder],
];

describe.for(CASES)("messages of type %s", ([name, generated, values, forProtobufjs]) => {
  const compiled = messageFromProto<never>(BOT_PROTO, `buildbot.${name}`);
  const reference = root.lookupType(`buildbot.${name}`);

  it("come back from generated code as they went", () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(generated.codec.decode(generated.codec.encode(value as never))).toEqual(value);
      }),
    );
  });

  it("are the same bytes and values in generated code and in closures", () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = generated.codec.encode(value as never);
        expect(compiled.codec.encode(value as never)).toEqual(bytes);
        expect(compiled.codec.decode(bytes)).toEqual(generated.codec.decode(bytes));
      }),
    );
  });

  it("are the same bytes in protobufjs", () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = generated.codec.encode(value as never);
        const theirs = Uint8Array.from(reference.encode(reference.fromObject(forProtobufjs(value as never))).finish());
        expect(bytes).toEqual(theirs);
        expect(Uint8Array.from(reference.encode(reference.decode(bytes)).finish())).toEqual(bytes);
      }),
    );
  });

  it("come back from the dynamic form as they went", () => {
    fc.assert(
      fc.property(values, (value) => {
        const dynamic = generated.codec.toDynamic(value as never);
        expect(generated.codec.encode(generated.codec.fromDynamic(dynamic))).toEqual(
          generated.codec.encode(value as never),
        );
        expect(compiled.codec.toDynamic(value as never)).toEqual(dynamic);
      }),
    );
  });
});
