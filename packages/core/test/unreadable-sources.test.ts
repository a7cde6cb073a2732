import { describe, expect, it } from "vitest";
import {
  bidiStream,
  clientStream,
  createClient,
  createRouter,
  defineContract,
  serverStream,
  unary,
} from "../src/index.ts";
import { settled } from "./fake-clock.ts";
import { failure, Gate, listen, memory, rawClient, call, json } from "./rig.ts";
import { cancel, item } from "./hostile-rig.ts";

const Flow = defineContract("test.Flow", {
  ping: unary(),
  up: clientStream(),
  down: serverStream(),
  both: bidiStream(),
});

/** A stream that somebody else is reading already. */
const locked: AsyncIterable<unknown> = {
  [Symbol.asyncIterator]: () => {
    throw new TypeError("it is locked");
  },
};

describe("a stream that cannot be read", () => {
  it("fails its own call at the caller, and no other", async () => {
    const router = createRouter(Flow, { ping: () => "pong", up: () => 1, down: () => [], both: (items) => items });
    const client = createClient(Flow, memory(router));
    const failed = failure(client.up(locked));
    const behind = client.ping();
    expect((await failed).message).toContain("it is locked");
    expect(await behind).toBe("pong");
    expect((await failure(client.up(locked))).message).toContain("it is locked");
    expect(await client.ping()).toBe("pong");
  });

  it("gives the place of its handler back", async () => {
    const router = createRouter(Flow, { ping: () => "pong", up: () => 1, down: () => locked, both: () => locked });
    const transport = memory(router, { maxCallsInFlight: 2, maxStreams: 2 });
    const client = createClient(Flow, transport);
    for (let n = 0; n < 5; n++) {
      const reading = client.down()[Symbol.asyncIterator]();
      expect((await failure(reading.next())).message).toContain("it is locked");
    }
    expect(await client.ping()).toBe("pong");
  });
});

describe("the place of a stream", () => {
  it("H55 is taken until the source's finally blocks have run", async () => {
    const cleaning = new Gate();
    const router = createRouter(Flow, {
      ping: () => "pong",
      up: () => 1,
      down: async function* () {
        try {
          for (;;) yield 1;
        } finally {
          await cleaning.promise;
        }
      },
      both: (items) => items,
    });
    const peer = await rawClient(listen(router, { maxStreams: 1 }));
    await peer.send(call(1, "test.Flow.down", { kind: "serverStream", credits: 2 }), cancel(1));
    await peer.send(call(3, "test.Flow.down", { kind: "serverStream", credits: 2 }));
    expect(peer.failures).toEqual([[3, 8, "maxStreams"]]);
    cleaning.open();
    await settled();
    await peer.send(call(5, "test.Flow.down", { kind: "serverStream", credits: 2 }));
    expect(peer.failures).toHaveLength(1);
  });
});

describe("maxUnreadBytes", () => {
  it("fails the stream whose writer fills it, and no other", async () => {
    const router = createRouter(Flow, {
      ping: () => "pong",
      up: () => new Promise(() => undefined),
      down: () => [],
      both: (items) => items,
    });
    const peer = await rawClient(listen(router, { maxUnreadBytes: 10_000 }));
    await peer.send(call(1, "test.Flow.up", { kind: "clientStream", payload: undefined }));
    for (let seq = 1; seq <= 4; seq++) await peer.send(item(1, seq, "x".repeat(3_000)));
    expect(peer.failures).toEqual([[1, 8, "maxUnreadBytes"]]);
    await peer.send(call(3, "test.Flow.ping", { payload: json(null) }));
    expect(peer.results).toEqual(["pong"]);
  });
});
