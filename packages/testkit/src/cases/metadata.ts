import { defineContract, Metadata, RpcError, unary } from "@rpc/core";
import type { CallContext, Interceptor, Transport } from "@rpc/core/transport";
import { check, equal, rejects } from "../assert.ts";
import {
  clientOf,
  clientOfOne,
  one,
  proves,
  serveOne,
  type OneClient,
  type TransportBench,
  type TransportCase,
} from "../transport-bench.ts";

const One = defineContract("testkit.One", { run: unary() });

/** C30, C32, C33, C39, C52, H56, H57: strings that travel beside input and output. */
export const metadataCases: readonly TransportCase[] = [
  proves("C30", "carries metadata that a failing handler has set", async (bench) => {
    const { pair } = await one(bench, (_, ctx) => {
      ctx.responseMetadata.set("x-why", "because");
      throw new RpcError("ABORTED", "no");
    });
    const seen = createWitness(bench);
    await rejects(seen.client(pair.transport).run(), { code: "ABORTED" }, "call");
    equal(seen.last()?.responseMetadata.get("x-why"), "because", "metadata of the failure");
  }),

  proves("C32", "carries text and binary metadata both ways, keys without regard to case", async (bench) => {
    const received: unknown[] = [];
    const { pair } = await one(bench, (_, ctx) => {
      received.push(ctx.metadata.get("X-TEXT"), ctx.metadata.getBytes("x-trace-bin"));
      ctx.responseMetadata.set("X-Reply", "grüße ✓");
      ctx.responseMetadata.set("x-reply-bin", Uint8Array.of(0, 255, 128));
    });
    const seen = createWitness(bench);
    await seen.client(pair.transport).run(undefined, {
      metadata: { "x-Text": "value", "X-Trace-Bin": Uint8Array.of(1, 2, 3, 254) },
    });
    equal(received, ["value", Uint8Array.of(1, 2, 3, 254)], "metadata at the handler");
    const back = seen.last()?.responseMetadata;
    equal(
      [back?.get("x-reply"), back?.getBytes("X-REPLY-BIN")],
      ["grüße ✓", Uint8Array.of(0, 255, 128)],
      "metadata at the caller",
    );
  }),

  proves("C33", "joins the values of a key given twice by a comma", async (bench) => {
    const received: unknown[] = [];
    const { client } = await one(bench, (_, ctx) => void received.push(ctx.metadata.get("x-many")));
    await client.run(undefined, {
      metadata: [
        ["x-many", "a"],
        ["X-Many", "b"],
      ],
    });
    equal(received, ["a, b"], "value at the handler");
  }),

  proves("C39", "lets an interceptor give each call credentials of its own", async (bench) => {
    const received: unknown[] = [];
    const { pair } = await one(bench, (_, ctx) => void received.push(ctx.metadata.get("authorization")));
    let issued = 0;
    const credentials: Interceptor = {
      call: (input, ctx, next) => {
        issued += 1;
        ctx.metadata.set("authorization", `Bearer ${issued}`);
        return next(input, ctx);
      },
    };
    const client = clientOf(bench, One, pair.transport, [credentials]);
    await client.run();
    await client.run();
    equal(received, ["Bearer 1", "Bearer 2"], "credentials at the handler");
  }),

  proves("C52", "carries traceparent to the handler and its trace on to a nested call", async (bench) => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const seen: (string | undefined)[] = [];
    const inner = await bench.connect(serveOne((_, ctx) => void seen.push(ctx.metadata.get("traceparent"))));
    const innerClient = clientOfOne(bench, inner.transport);
    const { client } = await one(bench, async (_, ctx) => {
      seen.push(ctx.metadata.get("traceparent"));
      await innerClient.run(undefined, ctx);
    });
    await client.run(undefined, { metadata: { traceparent } });
    equal(seen[0], traceparent, "traceparent at the handler");
    equal(seen[1]?.split("-")[1], traceparent.split("-")[1], "trace id at the nested handler");
  }),

  proves("H56", "refuses metadata over the limit and takes the next call", async (bench) => {
    let runs = 0;
    const { client } = await one(bench, () => void (runs += 1));
    const manyKeys = Array.from({ length: 10_000 }, (_, i) => [`x-${i}`, "v"] as const);
    for (const metadata of [manyKeys, { "x-large": "v".repeat(1_000_000) }, { "x-large": "v".repeat(63 * 1024) }]) {
      await rejects(client.run(undefined, { metadata }), { code: "RESOURCE_EXHAUSTED" }, "metadata over the limit");
    }
    equal(runs, 0, "runs of the handler");
    await client.run(undefined, { metadata: { "x-fits": "v".repeat(8 * 1024) } });
    equal(runs, 1, "runs of the handler with metadata that fits");
  }),

  proves("H57", "refuses empty keys and control characters, and keeps __proto__ as data", async (bench) => {
    const received: CallContext[] = [];
    const { client } = await one(bench, (_, ctx) => void received.push(ctx));
    const wrong: readonly (readonly [string, string])[] = [
      ["", "v"],
      ["x\r\ny", "v"],
      ["x\u0000", "v"],
      ["x-key", "a\r\nset-cookie: b"],
      ["x-key", "a\u0000"],
    ];
    for (const pair of wrong) {
      await rejects(
        (async () => client.run(undefined, { metadata: [pair] }))(),
        { code: "INVALID_ARGUMENT" },
        JSON.stringify(pair),
      );
    }
    equal(received.length, 0, "runs of the handler");
    const before = Object.keys(Object.prototype).length;
    await client.run(undefined, {
      metadata: [
        ["__proto__", "data"],
        ["constructor", "data"],
      ],
    });
    const metadata = received[0]?.metadata ?? new Metadata();
    equal([metadata.get("__proto__"), metadata.get("constructor")], ["data", "data"], "values of odd keys");
    check(metadata.get("tostring") === undefined, "a key that was not sent has a value");
    equal(Object.keys(Object.prototype).length, before, "members of Object.prototype");
  }),
];

/** A client that keeps the contexts of its calls: the caller's view of response metadata. */
function createWitness(bench: TransportBench): {
  client(transport: Transport): OneClient;
  last(): CallContext | undefined;
} {
  const contexts: CallContext[] = [];
  const witness: Interceptor = {
    call: async (input, ctx, next) => {
      contexts.push(ctx);
      return next(input, ctx);
    },
  };
  return {
    client: (transport) => clientOf(bench, One, transport, [witness]),
    last: () => contexts.at(-1),
  };
}
