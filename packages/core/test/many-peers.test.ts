import { describe, expect, it } from "vitest";
import { createClient, createRouter, defineContract, type Transport, unary } from "../src/index.ts";
import { createMemoryChannelPair, createSessionTransport, jsonEnvelopeCodec } from "../src/transport.ts";
import { FakeClock } from "./fake-clock.ts";
import { listen } from "./rig.ts";

const Node = defineContract("test.Node", { name: unary(), ask: unary() });
const COUNT = 1_000;

describe("a process that listens and dials", () => {
  it("T04 serves a thousand peers and calls each of them, while it is a peer of another itself", async () => {
    const clock = new FakeClock();
    const upstream = listen(createRouter(Node, { name: () => "upstream", ask: (input) => input }), { clock });
    const middle = listen(
      createRouter(Node, { name: () => "middle", ask: () => createClient(Node, up).name(undefined) }),
      { clock },
    );
    const dial = (listener: typeof middle, name: string): Transport =>
      createSessionTransport({
        endpoint: `memory:${name}`,
        codec: jsonEnvelopeCodec,
        clock,
        serve: createRouter(Node, { name: () => name, ask: (input) => input }),
        dial: async () => {
          const [near, far] = createMemoryChannelPair();
          listener.accept(far);
          return near;
        },
      });
    const up = dial(upstream, "middle");
    const peers = Array.from({ length: COUNT }, (_, n) => dial(middle, `peer ${n}`));
    const answers = await Promise.all(peers.map((peer) => createClient(Node, peer).ask(undefined)));
    expect(new Set(answers)).toEqual(new Set(["upstream"]));
    const connected = [...middle.peers];
    expect(connected).toHaveLength(COUNT);
    const names = await Promise.all(connected.map((peer) => peer.client(Node).name(undefined)));
    expect(new Set(names).size).toBe(COUNT);
    await Promise.all([...peers, up].map((peer) => peer.close()));
    expect([...middle.peers]).toHaveLength(0);
    await Promise.all([middle.close(), upstream.close()]);
    expect(clock.timerCount).toBe(0);
  });
});
