import { describe, expect, it } from "vitest";
import {
  type CallContext,
  callBackBy,
  createClient,
  createRouter,
  defineContract,
  type Peer,
  pair,
  RpcError,
  serverStream,
  unary,
} from "../../src/index.ts";
import { FakeClock, settled } from "../fake-clock.ts";
import { all, failure, Gate, listen, memory } from "../rig.ts";
import { Part } from "./part.ts";

const Office = defineContract("test.Office", { order: unary(), orders: serverStream(), whoAmI: unary() });
const Home = defineContract("test.Home", { ring: unary() });

/** Two programs, each with one wire to the other. The office calls back by its own. */
function rig(ring: (input: unknown, ctx: CallContext) => unknown = (input) => `rang ${String(input)}`) {
  const peers: Peer[] = [];
  const toHome = memory(createRouter(Home, { ring }));
  const office = createRouter(Office, {
    order: async (input, ctx) => {
      peers.push(ctx.peer);
      ctx.responseMetadata.set("from", "office");
      return ctx.peer.client(Home).ring(input, ctx);
    },
    orders: async function* (input, ctx) {
      yield await ctx.peer.client(Home).ring(input);
    },
    whoAmI: (_input, ctx) => [ctx.peer.endpoint, ctx.peer.instanceId, ctx.peer.callsInFlight, ctx.peer.ignoredCount],
  });
  const toOffice = memory(callBackBy(office, toHome));
  return { toHome, toOffice, peers, home: pair({ out: toOffice, in: toHome.listener }) };
}

describe("pair", () => {
  it("makes one duplex wire of two one-way wires: a handler calls back by the other one", async () => {
    const { home } = rig();
    const handle = createClient(Office, home).order.start("pizza");
    expect(await handle).toBe("rang pizza");
    expect(handle.responseMetadata.get("from")).toBe("office");
    expect(await all(createClient(Office, home).orders("tea"))).toEqual(["rang tea"]);
  });

  it("knows the caller by the wire on which it calls", async () => {
    const { home, peers, toOffice } = rig();
    const client = createClient(Office, home);
    const who = (await client.whoAmI()) as unknown[];
    const [peer] = toOffice.listener.peers;
    expect(who.slice(0, 2)).toEqual([peer?.endpoint, peer?.instanceId]);
    await client.order("x");
    expect(peers[0]?.identity).toBeUndefined();
    peers[0]?.disconnect();
    await settled();
    expect(toOffice.connected).toBe(false);
  });

  it("cancels the call back with the call that it belongs to", async () => {
    let context: CallContext | undefined;
    const { home } = rig((_input, ctx) => {
      context = ctx;
      return new Promise(() => undefined);
    });
    const handle = createClient(Office, home).order.start("x");
    await settled();
    await handle.cancel("enough");
    await failure(handle);
    await settled();
    expect(context?.signal.aborted).toBe(true);
    expect(context?.depth).toBe(1);
  });

  it("is duplex, and otherwise as its outgoing wire", () => {
    const gap = { unsupported: "one way" };
    const out = new Part(new FakeClock(), "http://other", undefined, { duplex: gap, cancel: "local" });
    const home = pair({ out, in: listen(createRouter(Home, { ring: () => 1 })) });
    expect(home.capabilities).toEqual({ ...out.capabilities, duplex: "native" });
    expect(home.endpoint).toBe("http://other");
  });

  it("drains what comes in before it closes what goes out", async () => {
    const clock = new FakeClock();
    const ended: string[] = [];
    const gate = new Gate();
    const out = new Part(clock, "out:");
    const listener = {
      ...listen(createRouter(Home, { ring: () => 1 })),
      close: async () => {
        await gate.promise;
        clock.setTimeout(() => undefined, 0);
        await clock.advance(300);
        ended.push(`in, with ${out.closes.length} closed`);
      },
    };
    const home = pair({ out, in: listener });
    await home.ready();
    expect(out.readyCount).toBe(1);
    const closed = home.close({ drainMs: 1_000 });
    expect(await failure(createClient(Office, home).order())).toMatchObject({ code: "FAILED_PRECONDITION" });
    expect(await failure(all(createClient(Office, home).orders()))).toMatchObject({ reason: "CLOSED" });
    gate.open();
    await closed;
    await home.close();
    expect([ended, out.closes]).toEqual([["in, with 0 closed"], [{ drainMs: 700 }]]);
  });

  it("closes what goes out even when what comes in fails to close", async () => {
    const out = new Part(new FakeClock());
    const listener = {
      ...listen(createRouter(Home, { ring: () => 1 })),
      close: () => Promise.reject(new RpcError("INTERNAL", "stuck")),
    };
    expect(await failure(pair({ out, in: listener }).close())).toMatchObject({ message: "stuck" });
    expect(out.closes).toHaveLength(1);
  });
});
