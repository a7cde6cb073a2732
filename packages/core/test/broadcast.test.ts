import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  createClient,
  createRouter,
  defineContract,
  notification,
  type Peer,
  type PeerReply,
  RpcError,
  unary,
} from "../src/index.ts";
import { createSessionTransport } from "../src/transport.ts";
import { createMemoryChannelPair, jsonEnvelopeCodec } from "../src/transport.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { failure, listen, thrownBy } from "./rig.ts";
import { onTestFinished } from "vitest";

const Hub = defineContract("test.Hub", { hello: unary({ output: z.string() }) });
const Node = defineContract("test.Node", {
  wake: notification({ input: z.object({ reason: z.string() }) }),
  ping: unary({ input: z.number(), output: z.string() }),
});

/** A listener with so many clients, each of which serves Node. */
async function rig(names: readonly string[], options = {}) {
  const clock = new FakeClock();
  const listener = listen(createRouter(Hub, { hello: () => "hi" }), { clock, ...options });
  const woken: string[] = [];
  const replies = new Map<string, (n: number) => string | Promise<string>>();
  const signals: AbortSignal[] = [];
  const cuts = new Map<string, () => void>();
  for (const name of names) {
    const transport = createSessionTransport({
      endpoint: `memory:${name}`,
      codec: jsonEnvelopeCodec,
      clock,
      serve: createRouter(Node, {
        wake: ({ reason }) => void woken.push(`${name} ${reason}`),
        ping: (n, { signal }) => {
          signals.push(signal);
          return replies.get(name)?.(n) ?? `${name} ${n}`;
        },
      }),
      dial: () => {
        const [near, far] = createMemoryChannelPair();
        // Whoever was cut off does not come back.
        if (cuts.has(name)) return Promise.reject(new RpcError("UNAVAILABLE", "nobody there"));
        cuts.set(name, () => far.close());
        listener.accept(far);
        return Promise.resolve(near);
      },
    });
    onTestFinished(() => transport.close());
    await createClient(Hub, transport).hello();
  }
  const peers = [...listener.peers];
  return { clock, listener, woken, replies, signals, cuts, peers };
}

async function collected(replies: AsyncIterable<PeerReply<string>>, peers: readonly Peer[]): Promise<unknown[]> {
  const list: unknown[] = [];
  for await (const { peer, result, error } of replies) list.push([peers.indexOf(peer), result ?? error?.code]);
  return list;
}

describe("listener.peers", () => {
  it("C127 tells every connected peer once, and says how many", async () => {
    const { listener, woken } = await rig(["a", "b", "c"]);
    expect(listener.peers.size).toBe(3);
    const report = listener.peers.broadcast(Node.wake, { reason: "go" });
    expect([report.sent, report.failed]).toEqual([3, []]);
    expect(await report.accepted).toBe(3);
    await settled();
    expect(woken).toEqual(["a go", "b go", "c go"]);
  });

  it("counts where it has arrived, when asked", async () => {
    const { clock, listener, peers, woken } = await rig(["a", "b"]);
    const report = listener.peers.broadcast(Node.wake, { reason: "go" }, { ack: true });
    peers[1]?.disconnect();
    await settled();
    await clock.advance(1_000);
    expect(report.sent).toBe(2);
    expect(await report.accepted).toBe(1);
    expect(report.failed.map(({ peer, error }) => [peers.indexOf(peer), error.code])).toEqual([[1, "UNAVAILABLE"]]);
    expect(woken).toContain("a go");
  });

  it("tells those that are chosen", async () => {
    const { listener, woken, peers } = await rig(["a", "b", "c"]);
    const report = listener.peers.broadcast(Node.wake, { reason: "go" }, { filter: (peer) => peer !== peers[1] });
    expect(report.sent).toBe(2);
    await settled();
    expect(woken).toEqual(["a go", "c go"]);
  });

  it("C128 names whom it could not tell, and tells the others", async () => {
    const { listener, woken } = await rig(["a", "b"], { maxMessageBytes: 10_000 });
    const large = listener.peers.broadcast(Node.wake, { reason: "x".repeat(20_000) });
    expect([large.sent, large.failed.map(({ error }) => error.code)]).toEqual([
      0,
      ["RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED"],
    ]);
    expect(await large.accepted).toBe(0);
    expect(listener.peers.broadcast(Node.wake, { reason: "go" }).sent).toBe(2);
    await settled();
    expect(woken).toHaveLength(2);
  });

  it("tells nobody when nobody is there", async () => {
    const { listener } = await rig([]);
    const report = listener.peers.broadcast(Node.wake, { reason: "go" });
    expect([report.sent, report.failed, await report.accepted]).toEqual([0, [], 0]);
    expect(await collected(listener.peers.callAll(Node.ping, 1), [])).toEqual([]);
    expect([listener.peers.random(), listener.peers.leastBusy()]).toEqual([undefined, undefined]);
  });

  it("C129 collects the answers as they come, and names who failed and who did not answer", async () => {
    const { clock, listener, replies, peers } = await rig(["a", "b", "c", "d"]);
    replies.set("b", () => Promise.reject(new RpcError("ABORTED", "no")));
    replies.set("c", () => new Promise(() => undefined));
    replies.set("d", async () => {
      await settled();
      return "late";
    });
    const answers = collected(listener.peers.callAll(Node.ping, 7, { timeoutMs: 1_000 }), peers);
    for (let i = 0; i < 4; i++) await settled();
    await clock.advance(1_000);
    expect(await answers).toEqual([
      [0, "a 7"],
      [1, "ABORTED"],
      [3, "late"],
      [2, "DEADLINE_EXCEEDED"],
    ]);
  });

  it("cancels the calls that nobody waits for any more", async () => {
    const { listener, replies, signals } = await rig(["a", "b"]);
    replies.set("b", () => new Promise(() => undefined));
    for await (const { result } of listener.peers.callAll(Node.ping, 1)) {
      expect(result).toBe("a 1");
      break;
    }
    await settled();
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, true]);
  });

  it("names a peer that is lost meanwhile", async () => {
    const { listener, replies, peers } = await rig(["a"], { resumeWindowMs: 0 });
    replies.set("a", () => new Promise(() => undefined));
    const answers = collected(listener.peers.callAll(Node.ping, 1), peers);
    await settled();
    peers[0]?.disconnect();
    expect(await answers).toEqual([[0, "UNAVAILABLE"]]);
    expect(listener.peers.size).toBe(0);
  });

  it("picks any peer, and the least busy one", async () => {
    const { listener, replies, peers } = await rig(["a", "b", "c"]);
    expect(peers).toContain(listener.peers.random());
    expect(listener.peers.leastBusy()).toBe(peers[0]);
    replies.set("a", () => new Promise(() => undefined));
    void failure(peers[0]?.client(Node).ping(1) ?? Promise.resolve());
    await settled();
    expect(peers.map(({ callsInFlight }) => callsInFlight)).toEqual([1, 0, 0]);
    expect(listener.peers.leastBusy()).toBe(peers[1]);
    expect(listener.peers.leastBusy((peer) => peer === peers[0])).toBe(peers[0]);
    expect(listener.peers.random((peer) => peer === peers[2])).toBe(peers[2]);
  });

  it("picks one whose connection is lost only when there is no other", async () => {
    const { listener, cuts, peers } = await rig(["a", "b"]);
    cuts.get("a")?.();
    await settled();
    expect(peers.map(({ connected }) => connected)).toEqual([false, true]);
    expect(listener.peers.leastBusy()).toBe(peers[1]);
    for (let i = 0; i < 20; i++) expect(listener.peers.random()).toBe(peers[1]);
    expect(listener.peers.leastBusy((peer) => peer === peers[0])).toBe(peers[0]);
    expect(listener.peers.random((peer) => peer === peers[0])).toBe(peers[0]);
  });

  it("leaves it to the peers to validate an input", async () => {
    const { listener, woken } = await rig(["a"]);
    const report = listener.peers.broadcast(Node.wake, { reason: 7 } as never, { ack: true });
    expect([report.sent, await report.accepted]).toEqual([1, 1]);
    expect(woken).toEqual([]);
  });

  it("refuses an input that cannot travel, and what is no method of the right kind", async () => {
    const { listener } = await rig(["a"]);
    const circle: Record<string, unknown> = {};
    circle["self"] = circle;
    expect(thrownBy(() => listener.peers.broadcast(Node.wake, circle as never))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    expect(thrownBy(() => listener.peers.broadcast(Node.ping as never)).message).toContain("a notification is due");
    expect(thrownBy(() => listener.peers.callAll(Node.wake as never)).message).toContain("a unary is due");
  });
});
