import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createFakeClock } from "../src/index.ts";
import { type ChaosFault, type ChaosProxy, createChaosProxy } from "../src/node.ts";

/** One connection through a proxy, seen from both ends. */
interface Rig {
  readonly proxy: ChaosProxy;
  readonly clock: ReturnType<typeof createFakeClock>;
  readonly client: End;
  readonly server: End;
  readonly dial: () => Promise<End>;
}

interface End {
  readonly socket: Socket;
  /** All that has arrived. */
  text(): string;
  /** Resolves when that much has arrived. */
  has(text: string): Promise<void>;
  readonly events: readonly string[];
  /** Resolves when the event was seen. */
  saw(event: "end" | "close" | "error"): Promise<void>;
}

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).toReversed()) await thing.close();
});

describe("a chaos proxy", () => {
  it("forwards both ways, and the end of either side behind its bytes", async () => {
    const { client, server, proxy } = await rig();
    client.socket.end("question");
    await server.saw("end");
    expect(server.text()).toBe("question");
    server.socket.end("answer");
    await client.saw("close");
    expect(client.text()).toBe("answer");
    expect(client.events).toEqual(["end", "close"]);
    await until(() => proxy.connections === 0);
  });

  it("cuts: both sides see a reset", async () => {
    const { client, server, proxy } = await rig();
    expect(proxy.cut()).toBe(1);
    await Promise.all([client.saw("close"), server.saw("close")]);
    expect([client.events, server.events]).toEqual([
      ["error", "close"],
      ["error", "close"],
    ]);
    await until(() => proxy.connections === 0);
  });

  it.each(["client", "server"] as const)(
    "half closes: only the %s sees an end, and it may still send",
    async (side) => {
      const rigged = await rig();
      const other = side === "client" ? rigged.server : rigged.client;
      const told = rigged[side];
      rigged.proxy.halfClose(side);
      await told.saw("end");
      other.socket.write("lost");
      told.socket.write("still");
      await other.has("still");
      await until(() => rigged.proxy.counts.swallowedBytes === 4);
      expect([told.text(), other.events]).toEqual(["", []]);
    },
  );

  it("is a black hole: bytes and ends vanish, and both sides take the connection for open", async () => {
    const { client, server, proxy, dial } = await rig();
    expect(proxy.blackHole()).toBe(1);
    client.socket.write("lost");
    await until(() => proxy.counts.swallowedBytes === 4);
    client.socket.destroy();
    await client.saw("close");
    // The next one gets through, as when a client has given up its old connection and dials anew.
    const next = await dial();
    expect(next.events).toEqual([]);
    expect([server.text(), server.events, proxy.connections]).toEqual(["", [], 2]);
    expect(proxy.restore()).toBe(1);
    await server.saw("close");
    expect(server.events).toContain("error");
  });

  it("lets a connection go on after a black hole that swallowed nothing", async () => {
    const { client, server, proxy } = await rig();
    proxy.blackHole();
    proxy.restore();
    client.socket.write("here");
    await server.has("here");
    expect(client.events).toEqual([]);
  });

  it("stalls: holds bytes back for the time on its clock, then delivers them", async () => {
    const { client, server, proxy, clock } = await rig();
    proxy.stall(1_000);
    client.socket.write("late");
    await new Promise((resolve) => client.socket.write("r", resolve));
    clock.advance(999);
    expect(server.text()).toBe("");
    clock.advance(1);
    await server.has("later");
    expect(clock.pendingCount).toBe(0);
  });

  it("refuses new connections while it is told to, and leaves the others alone", async () => {
    const { client, server, proxy, dial } = await rig();
    proxy.refuse(true);
    const refused = endOf(connect(proxy.port, proxy.host));
    await refused.saw("close");
    proxy.refuse(false);
    await dial();
    client.socket.write("here");
    await server.has("here");
    expect(proxy.counts).toMatchObject({ refused: 1, accepted: 2 });
  });

  it("resets a client whose target is not there", async () => {
    const { proxy, listening } = await rig();
    await new Promise<void>((resolve) => {
      listening.close(() => resolve());
      proxy.cut();
    });
    const lonely = endOf(connect(proxy.port, proxy.host));
    await lonely.saw("close");
    expect(lonely.events).toContain("error");
    await until(() => proxy.connections === 0);
  });

  it("carries more than its buffers hold, in both directions at once", async () => {
    const { client, server } = await rig();
    const much = "0123456789".repeat(400_000);
    client.socket.end(much);
    server.socket.end(much);
    await Promise.all([client.saw("close"), server.saw("close")]);
    expect([client.text() === much, server.text() === much]).toEqual([true, true]);
  });

  it("closes: cuts what is open, stops its driver and its timers, and is gone", async () => {
    const { client, proxy, clock } = await rig();
    proxy.chaos({ seed: 1 });
    proxy.stall(1_000_000);
    proxy.blackHole();
    await proxy.close();
    await proxy.close();
    await client.saw("close");
    expect(clock.pendingCount).toBe(0);
    const late = endOf(connect(proxy.port, proxy.host));
    await late.saw("error");
  });
});

describe("the driver of a chaos proxy", () => {
  const story = async (seed: number): Promise<string[]> => {
    const { proxy, clock } = await rig();
    const faults: string[] = [];
    const run = proxy.chaos({ seed, onFault: (fault) => faults.push(`${clock.now()} ${fault}`) });
    clock.advance(60_000);
    run.stop();
    expect(faults.length).toBeGreaterThan(100);
    return faults;
  };

  it("does the same at the same times with the same seed", async () => {
    const first = await story(1);
    expect(await story(1)).toEqual(first);
    expect(await story(2)).not.toEqual(first);
  });

  it("does every fault, and only those that its plan names", async () => {
    const kinds = new Set((await story(3)).map((line) => line.split(" ")[1]));
    expect(kinds.size).toBe(6);
    const { proxy, clock } = await rig();
    const seen = new Set<ChaosFault>();
    proxy.chaos({ seed: 1, faults: { cut: 1, stall: 1 }, everyMs: [10, 20], onFault: (fault) => seen.add(fault) });
    clock.advance(2_000);
    expect([...seen].toSorted()).toEqual(["cut", "stall"]);
  });
});

async function rig(): Promise<Rig & { readonly listening: Server }> {
  const accepted: Socket[] = [];
  const listening = createServer({ allowHalfOpen: true }, (socket) => accepted.push(socket)).listen(0, "127.0.0.1");
  await once(listening, "listening");
  const address = listening.address();
  if (address === null || typeof address === "string") throw new Error("the target listens on TCP");
  const clock = createFakeClock();
  const proxy = await createChaosProxy({ target: { port: address.port }, clock });
  open.push(
    {
      close: () => {
        listening.close();
        for (const socket of accepted) socket.destroy();
      },
    },
    proxy,
  );
  const dial = async (): Promise<End> => {
    const end = endOf(connect({ port: proxy.port, host: proxy.host, allowHalfOpen: true }));
    open.push({ close: () => end.socket.destroy() });
    await once(end.socket, "connect");
    return end;
  };
  const client = await dial();
  await until(() => accepted.length === 1);
  const [socket] = accepted;
  if (socket === undefined) throw new Error("nothing was accepted");
  return { proxy, clock, client, server: endOf(socket), dial, listening };
}

function endOf(socket: Socket): End {
  const events: string[] = [];
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  for (const event of ["end", "error", "close"]) socket.on(event, () => events.push(event));
  return {
    socket,
    text: () => text,
    has: (wanted) => until(() => text === wanted),
    events,
    saw: (event) => until(() => events.includes(event)),
  };
}

/** Turn by turn of the event loop; the test's own limit ends it. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
