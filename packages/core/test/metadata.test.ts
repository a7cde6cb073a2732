import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createClient, createRouter, defineContract, Metadata, RpcError, unary } from "../src/index.ts";
import { Body } from "../src/transport.ts";
import { call, dialTo, failure, json, listen, memory, rawClient, thrownBy } from "./rig.ts";

describe("Metadata", () => {
  it("finds a key in any case", () => {
    const metadata = new Metadata({ "X-Request": "7" });
    expect(metadata.get("x-request")).toBe("7");
    expect(metadata.get("X-REQUEST")).toBe("7");
    expect(metadata.has("x-Request")).toBe(true);
    expect(metadata.delete("X-request")).toBe(true);
    expect(metadata.size).toBe(0);
  });

  it("joins the values of a key that is given twice", () => {
    const metadata = new Metadata([
      ["accept", "a"],
      ["Accept", "b"],
    ]);
    expect(metadata.get("accept")).toBe("a, b");
    expect(metadata.append("accept", "c").get("accept")).toBe("a, b, c");
  });

  it("replaces a value with set", () => {
    expect(new Metadata({ key: "old" }).set("KEY", "new").get("key")).toBe("new");
  });

  it("copies other metadata", () => {
    const first = new Metadata({ a: "1" });
    const second = new Metadata(first);
    first.set("a", "2");
    expect([...second]).toEqual([["a", "1"]]);
  });

  it("carries any bytes under a -bin key", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(new Metadata({ "trace-bin": bytes }).getBytes("trace-bin")).toEqual(bytes);
      }),
    );
  });

  it("refuses bytes under any other key", () => {
    expect(thrownBy(() => new Metadata({ trace: Uint8Array.of(1) }))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("has no bytes for a value that is no base64", () => {
    expect(new Metadata({ "trace-bin": "***" }).getBytes("trace-bin")).toBeUndefined();
    expect(new Metadata().getBytes("missing-bin")).toBeUndefined();
  });

  it("counts the characters of keys and values", () => {
    expect(new Metadata({ ab: "cde", f: "g" }).lengthInCharacters).toBe(7);
  });

  it.each(["", " ", "a b", "a\r\nb", "a\0b", "a:b", "ä", "a\u2028"])("H57 refuses the key %j", (key) => {
    expect(thrownBy(() => new Metadata([[key, "x"]]))).toMatchObject({
      code: "INVALID_ARGUMENT",
      reason: "INVALID_ARGUMENT",
    });
  });

  it.each(["a\r\nSet-Cookie: x", "a\0", "a\u001b[2J", "a\u007f", "\n"])("H57 refuses the value %j", (value) => {
    expect(thrownBy(() => new Metadata({ key: value }))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("H57 takes a tab, and characters beyond ASCII, as part of a value", () => {
    expect(new Metadata({ key: "a\tä😀" }).get("key")).toBe("a\tä😀");
  });

  it.each(["__proto__", "constructor", "toString"])("H57 treats the key %s as plain data", (key) => {
    const metadata = new Metadata([[key, "data"]]);
    expect(metadata.get(key)).toBe("data");
    expect([...metadata]).toEqual([[key.toLowerCase(), "data"]]);
    expect(Object.prototype).not.toHaveProperty("data");
    expect(new Metadata().get(key)).toBeUndefined();
  });

  it("H57 does not repeat a long key in the error", () => {
    expect(thrownBy(() => new Metadata([["a b".repeat(100_000), "x"]])).message.length).toBeLessThan(200);
  });
});

const Echo = defineContract("test.Echo", { echo: unary() });

describe("metadata of a call", () => {
  it("reaches the handler, and what the handler sets reaches the caller", async () => {
    const seen: [string, string][] = [];
    let answered: string | undefined;
    const router = createRouter(Echo, {
      echo: (_input, ctx) => {
        seen.push(...([...ctx.metadata] as [string, string][]));
        ctx.responseMetadata.set("Server-Load", "0.5");
        return null;
      },
    });
    const client = createClient(Echo, memory(router), {
      interceptors: [
        {
          call: async (input, ctx, next) => {
            const output = await next(input, ctx);
            answered = ctx.responseMetadata.get("server-load");
            return output;
          },
        },
      ],
    });
    await client.echo(null, { metadata: { "X-Tenant": "acme", "sign-bin": Uint8Array.of(1, 2) } });
    expect(seen).toEqual([
      ["x-tenant", "acme"],
      ["sign-bin", "AQI="],
    ]);
    expect(answered).toBe("0.5");
  });

  it("that a failing handler sets reaches the caller", async () => {
    let answered: string | undefined;
    const router = createRouter(Echo, {
      echo: (_input, ctx) => {
        ctx.responseMetadata.set("retry-after", "3");
        throw new RpcError("RESOURCE_EXHAUSTED", "later");
      },
    });
    const client = createClient(Echo, memory(router), {
      interceptors: [
        {
          call: async (input, ctx, next) => {
            try {
              return await next(input, ctx);
            } finally {
              answered = ctx.responseMetadata.get("retry-after");
            }
          },
        },
      ],
    });
    expect(await failure(client.echo())).toMatchObject({ code: "RESOURCE_EXHAUSTED" });
    expect(answered).toBe("3");
  });

  it("H57 that breaks the rules is refused before anything is sent", async () => {
    let ran = false;
    const client = createClient(Echo, memory(createRouter(Echo, { echo: () => (ran = true) })));
    expect(await failure(client.echo(null, { metadata: { "a b": "x" } }))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(ran).toBe(false);
  });

  it.each([
    ["an empty key", [["", "x"]]],
    ["a line break in a key", [["a\r\nb", "x"]]],
    ["a line break in a value", [["a", "x\r\ny"]]],
  ] as [string, [string, string][]][])(
    "H57 from a peer with %s is refused, and the handler does not run",
    async (_what, metadata) => {
      let ran = false;
      const peer = await rawClient(listen(createRouter(Echo, { echo: () => (ran = true) })));
      await peer.send(call(1, "test.Echo.echo", { metadata }));
      expect(peer.failures).toEqual([[1, 3, "INVALID_ARGUMENT"]]);
      expect(ran).toBe(false);
      expect(peer.ends).toEqual([]);
    },
  );

  it("H56 over the limit is refused, at the limit it is served", async () => {
    const peer = await rawClient(
      listen(createRouter(Echo, { echo: (_input, ctx) => ctx.metadata.size }), { maxMetadataBytes: 1_000 }),
    );
    await peer.send(
      call(1, "test.Echo.echo", { metadata: [["k", "v".repeat(999)]] }),
      call(3, "test.Echo.echo", { metadata: [["k", "v".repeat(1_000)]] }),
      call(5, "test.Echo.echo", { metadata: Array.from({ length: 10_000 }, (_, i) => [`key${i}`, "v"] as const) }),
      call(7, "test.Echo.echo"),
    );
    expect(peer.results).toEqual([1, 0]);
    expect(peer.failures).toEqual([
      [3, 8, "maxMetadataBytes"],
      [5, 8, "maxMetadataBytes"],
    ]);
  });

  it("H56 set by a handler beyond the caller's limit fails the call", async () => {
    const router = createRouter(Echo, {
      echo: (_input, ctx) => {
        ctx.responseMetadata.set("k", "v".repeat(2_000));
        return null;
      },
    });
    const client = createClient(Echo, memory(router, { maxMetadataBytes: 1_000 }));
    expect(await failure(client.echo())).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "maxMetadataBytes" });
  });

  it("that a peer sends against the rules with a reply is left out, and the reply counts", async () => {
    const { transport, peers } = dialTo();
    const client = createClient(Echo, transport);
    const answer = client.echo(1);
    await transport.ready();
    const [peer] = peers;
    await peer?.send({ body: Body.Result, id: 1, payload: json("ok"), metadata: [["a b", "x"]] });
    expect(await answer).toBe("ok");
  });
});
