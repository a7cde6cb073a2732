import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bidiStream,
  type CallContext,
  clientStream,
  createClient,
  createRouter,
  defineContract,
  RpcError,
  serverStream,
  unary,
} from "../src/index.ts";
import { settled } from "./fake-clock.ts";
import { all, failure, Gate, memory } from "./rig.ts";

const Test = defineContract("test.Test", {
  down: serverStream({ errors: { Odd: undefined } }),
  up: clientStream(),
  both: bidiStream(),
  echo: unary(),
});

type Down = (input: unknown, ctx: CallContext) => AsyncIterable<unknown> | Iterable<unknown>;
type Up = (items: AsyncIterable<unknown>, ctx: CallContext) => unknown;
type Both = (items: AsyncIterable<unknown>, ctx: CallContext) => AsyncIterable<unknown> | Iterable<unknown>;

function rig(
  { down = () => [], up = (items) => all(items), both = (items) => items }: { down?: Down; up?: Up; both?: Both } = {},
  options = {},
) {
  const transport = memory(createRouter(Test, { down, up, both, echo: (input) => input }), options);
  return { transport, client: createClient(Test, transport) };
}

async function read(stream: AsyncIterable<unknown>): Promise<[got: unknown[], error: RpcError | undefined]> {
  const got: unknown[] = [];
  try {
    for await (const value of stream) got.push(value);
  } catch (thrown) {
    return [got, thrown as RpcError];
  }
  return [got, undefined];
}

describe("streams", () => {
  it("deliver any values in order, in every shape, whatever the window", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.jsonValue(), { maxLength: 150 }),
        fc.integer({ min: 1, max: 70 }),
        async (values, streamCredits) => {
          const { client, transport } = rig({ down: () => values }, { streamCredits });
          const expected = JSON.stringify(values);
          expect(JSON.stringify(await all(client.down()))).toBe(expected);
          expect(JSON.stringify(await client.up(values))).toBe(expected);
          expect(JSON.stringify(await all(client.both(values)))).toBe(expected);
          await transport.close();
        },
      ),
      { numRuns: 30 },
    );
  });

  it("C71 deliver messages of very different sizes", async () => {
    const sizes = [31_415, 9, 2_653, 58_979];
    const { client } = rig({ down: () => sizes.map((size) => new Uint8Array(size)) });
    expect((await all(client.down())).map((bytes) => (bytes as Uint8Array).length)).toEqual(sizes);
  });

  it("C77 may bring all input first and all output afterwards", async () => {
    const { client } = rig({
      both: async function* (items) {
        const list = await all(items);
        yield* list.toReversed();
      },
    });
    expect(await all(client.both([1, 2, 3]))).toEqual([3, 2, 1]);
  });

  it("C78 deliver what was sent before a failure, then its status and details", async () => {
    const { client } = rig({
      down: function* () {
        yield 1;
        yield 2;
        throw Test.down.error("Odd", { at: 3 });
      },
    });
    const [got, error] = await read(client.down());
    expect(got).toEqual([1, 2]);
    expect(Test.down.isError(error, "Odd") && error.details).toEqual({ at: 3 });
  });

  it("C79 that fail before the first message give the status alone", async () => {
    const { client } = rig({
      down: () => {
        throw new RpcError("NOT_FOUND", "nothing here");
      },
      up: () => Promise.reject(new RpcError("NOT_FOUND", "nothing here")),
    });
    expect(await read(client.down())).toEqual([[], expect.objectContaining({ code: "NOT_FOUND" })]);
    expect(await failure(client.up([1]))).toMatchObject({ code: "NOT_FOUND" });
  });

  it("C80 run the producer's finally and abort its signal when the reader leaves", async () => {
    let left = 0;
    let ctx: CallContext | undefined;
    const { client } = rig({
      down: async function* (_input, own) {
        ctx = own;
        try {
          for (let i = 0; i < 1_000_000; i++) yield i;
        } finally {
          left++;
        }
      },
    });
    for await (const n of client.down()) if (n === 2) break;
    await settled();
    expect(left).toBe(1);
    expect(ctx?.signal.reason).toMatchObject({ code: "CANCELLED" });
  });

  it("C80 run the producer's finally while it waits for credit", async () => {
    let left = 0;
    let produced = 0;
    const { client } = rig(
      {
        down: async function* () {
          try {
            for (;;) yield ++produced;
          } finally {
            left++;
          }
        },
      },
      { streamCredits: 4 },
    );
    const iterator = client.down()[Symbol.asyncIterator]();
    await iterator.next();
    await settled();
    expect(produced).toBeLessThanOrEqual(6);
    await iterator.return?.();
    await settled();
    expect(left).toBe(1);
  });

  it("C81 stop in both directions when the call is cancelled", async () => {
    const controller = new AbortController();
    let ctx: CallContext | undefined;
    let closed = false;
    const { client } = rig({
      up: async (items, own) => {
        ctx = own;
        return all(items);
      },
    });
    const numbers = async function* () {
      try {
        yield 1;
        await new Promise((_resolve, reject) =>
          controller.signal.addEventListener("abort", () => reject(new Error("aborted"))),
        );
      } finally {
        closed = true;
      }
    };
    const failed = failure(client.up(numbers(), { signal: controller.signal }));
    await settled();
    controller.abort();
    expect(await failed).toMatchObject({ code: "CANCELLED" });
    await settled();
    expect(ctx?.signal.aborted).toBe(true);
    expect(closed).toBe(true);
  });

  it("C82 end without error when the handler returns before it has read everything", async () => {
    let closed = false;
    const { client } = rig({
      up: async (items) => {
        for await (const item of items) return ["early", item];
        return "never";
      },
    });
    const numbers = function* () {
      try {
        for (let i = 1; ; i++) yield i;
      } finally {
        closed = true;
      }
    };
    expect(await client.up(numbers())).toEqual(["early", 1]);
    expect(closed).toBe(true);
  });

  it("fail the call when the caller's own source throws, and tell the handler", async () => {
    let error: unknown;
    const { client } = rig({
      up: async (items) => {
        try {
          return await all(items);
        } catch (thrown) {
          error = thrown;
          throw thrown;
        }
      },
    });
    const broken = function* () {
      yield 1;
      throw new Error("sensor broke");
    };
    expect(await failure(client.up(broken()))).toMatchObject({ code: "UNKNOWN", message: "sensor broke" });
    await settled();
    expect(error).toMatchObject({ code: "CANCELLED", message: "sensor broke" });
  });

  it("H89 fail when an item cannot travel, with its number and path", async () => {
    const { client } = rig({ down: () => [1, { a: () => 1 }, 3] });
    const [got, error] = await read(client.down());
    expect(got).toEqual([1]);
    expect(error?.message).toContain("stream item 2: a ");
    expect(await failure(client.up([1, Symbol("s")]))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("C83 hold no more than their credits for a slow reader", async () => {
    let produced = 0;
    const { client } = rig(
      {
        down: async function* () {
          for (;;) yield ++produced;
        },
      },
      { streamCredits: 8 },
    );
    const iterator = client.down()[Symbol.asyncIterator]();
    for (let taken = 1; taken <= 50; taken++) {
      await iterator.next();
      await settled();
      expect(produced).toBeLessThanOrEqual(taken + 8);
    }
    await iterator.return?.();
  });

  it("C83 hold no more than their credits for a slow handler", async () => {
    let produced = 0;
    const step = { gate: new Gate() };
    const { client } = rig(
      {
        up: async (items) => {
          let n = 0;
          for await (const item of items) {
            n = Number(item);
            await step.gate.promise;
          }
          return n;
        },
      },
      { streamCredits: 8 },
    );
    const numbers = function* () {
      while (produced < 100) yield ++produced;
    };
    const output = client.up(numbers());
    await settled();
    expect(produced).toBeLessThanOrEqual(9);
    step.gate.open();
    expect(await output).toBe(100);
  });

  it("C22 C84 do not stall other calls when nobody reads them", async () => {
    const { client } = rig({
      down: async function* () {
        for (;;) yield new Uint8Array(10_000);
      },
    });
    const stuck = client.down()[Symbol.asyncIterator]();
    await stuck.next();
    expect(await client.echo("fast")).toBe("fast");
    await stuck.return?.();
  });

  it("C84 make progress beside each other, a hundred at once", async () => {
    const { client } = rig({ down: (input) => Array.from({ length: 100 }, (_, i) => [input, i]) });
    const streams = Array.from({ length: 100 }, (_, n) => all(client.down(n)));
    const calls = Array.from({ length: 100 }, (_, n) => client.echo(n));
    for (const [n, items] of (await Promise.all(streams)).entries())
      expect(items).toEqual(Array.from({ length: 100 }, (_, i) => [n, i]));
    expect(await Promise.all(calls)).toHaveLength(100);
  });

  it("C86 deliver a hundred thousand messages in order", async () => {
    const { client } = rig({
      down: function* () {
        for (let i = 0; i < 100_000; i++) yield i;
      },
    });
    let next = 0;
    for await (const n of client.down()) if (n !== next++) throw new Error(`${String(n)} where ${next - 1} was due`);
    expect(next).toBe(100_000);
  });

  it("C89 that lose their connection end with UNAVAILABLE, never as if complete", async () => {
    const { client, transport } = rig({
      down: async function* () {
        yield 1;
        await new Promise(() => undefined);
      },
    });
    const reading = read(client.down());
    await settled();
    const [peer] = transport.listener.peers;
    peer?.disconnect();
    const [got, error] = await reading;
    expect(got).toEqual([1]);
    expect(error).toMatchObject({ code: "UNAVAILABLE", delivered: "unknown" });
  });

  it("carry metadata of the response with their end", async () => {
    let metadata: string | undefined;
    const router = createRouter(Test, {
      down: function* (_input, ctx) {
        yield 1;
        ctx.responseMetadata.set("count", "1");
      },
      up: () => 0,
      both: () => [],
      echo: () => null,
    });
    const client = createClient(Test, memory(router), {
      interceptors: [
        {
          stream: async function* (input, ctx, next) {
            yield* next(input, ctx);
            metadata = ctx.responseMetadata.get("count");
          },
        },
      ],
    });
    expect(await all(client.down())).toEqual([1]);
    expect(metadata).toBe("1");
  });

  it("may be asked for several items at once, each gets its own", async () => {
    const { client } = rig({ down: () => [1, 2, 3] });
    const iterator = client.down()[Symbol.asyncIterator]();
    const steps = await Promise.all([iterator.next(), iterator.next(), iterator.next(), iterator.next()]);
    expect(steps.map(({ done, value }) => (done === true ? "end" : value))).toEqual([1, 2, 3, "end"]);
  });

  it("that were left before they were read make no call", async () => {
    let calls = 0;
    const { client } = rig({ down: () => [calls++] });
    await client.down()[Symbol.asyncIterator]().return?.();
    await settled();
    expect(calls).toBe(0);
  });
});
