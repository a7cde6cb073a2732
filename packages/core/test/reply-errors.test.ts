import { describe, expect, it } from "vitest";
import { createClient, createRouter, defineContract, RpcError, unary } from "../src/index.ts";
import { decodePayload } from "../src/tools/payloads.ts";
import { type BinaryMessageCodec, Body, EncodedPayload } from "../src/transport.ts";
import { settled } from "./fake-clock.ts";
import { clientRig } from "./hostile-rig.ts";
import { failure, memory, thrownBy } from "./rig.ts";

const Shop = defineContract("test.Shop", { buy: unary() });

describe("an error on its way to the caller", () => {
  it.each([
    ["a code that is none", () => new RpcError("TIMEOUT" as never, "late")],
    ["a reason that is no text", () => new RpcError("UNKNOWN", "late", { reason: 42 as never })],
  ])("H91 arrives in spite of %s", async (_what, make) => {
    const router = createRouter(Shop, { buy: () => Promise.reject(make()) });
    expect(await failure(createClient(Shop, memory(router)).buy())).toMatchObject({ code: "UNKNOWN", message: "late" });
  });

  it("does not say of a handler that ran what was true of the call that it made", async () => {
    const nowhere = memory(createRouter(Shop, { buy: () => 1 }));
    await nowhere.close();
    const inner = createClient(Shop, nowhere);
    const deliveries: unknown[] = [];
    const router = createRouter(Shop, {
      buy: async () => {
        const failed = await failure(inner.buy());
        deliveries.push(failed.delivered);
        throw failed;
      },
    });
    expect((await failure(createClient(Shop, memory(router)).buy())).delivered).toBe("unknown");
    expect(deliveries).toEqual(["no"]);
  });

  it("may come as an End as well as a Fail", async () => {
    const setup = await clientRig();
    const failed = failure(setup.client.echo(1));
    await settled();
    const error = {
      code: 5,
      message: "no such thing",
      reason: "",
      details: undefined,
      retryable: false,
      delivered: undefined,
      stack: "",
    };
    await setup.peer.send({ body: Body.End, id: 1, error, metadata: undefined });
    expect(await failed).toMatchObject({ code: "NOT_FOUND", message: "no such thing" });
  });
});

describe("a protobuf message", () => {
  it("H104 that is missing is refused, and is not an empty one", () => {
    const codec: BinaryMessageCodec = {
      format: "protobuf",
      encode: () => new Uint8Array(0),
      decode: () => ({}),
      fromDynamic: (value) => value,
      toDynamic: (value) => value,
    };
    expect(thrownBy(() => decodePayload(codec, undefined))).toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "PARSE",
    });
    expect(decodePayload(codec, new EncodedPayload("protobuf", new Uint8Array(0)))).toEqual({});
  });
});
