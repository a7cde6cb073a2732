import { describe, expect, it } from "vitest";
import {
  bidiStream,
  clientStream,
  createClient,
  createMemoryTransport,
  createRouter,
  defineContract,
  event,
  job,
  notification,
  serverStream,
  unary,
} from "../src/index.ts";
import { gapOf } from "../src/transport.ts";
import { dialTo, listen, memory, thrownBy } from "./rig.ts";

const Plain = defineContract("test.Plain", { a: unary() });
const Events = defineContract("test.Events", { a: unary(), states: event() });
const Jobs = defineContract("test.Jobs", { work: job() });
const plain = createRouter(Plain, { a: () => 1 });
/** A wire that carries neither events nor jobs. */
const GAPS = {
  capabilities: {
    topics: { unsupported: "events are not carried; use a server stream" },
    queue: { unsupported: "jobs are not carried; use a unary call" },
  },
};

describe("binding a contract to a transport", () => {
  it("refuses events with the transport's own sentence", () => {
    const transport = memory(plain, GAPS);
    const error = thrownBy(() => createClient(Events, transport));
    expect(error).toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "CAPABILITY",
      details: { capability: "topics", method: "test.Events.states" },
    });
    expect(error.message).toContain(gapOf(transport.capabilities.topics));
    expect(error.message).toContain("memory:");
  });

  it("refuses jobs with the transport's own sentence", () => {
    const transport = memory(plain, GAPS);
    expect(thrownBy(() => createClient(Jobs, transport)).message).toContain(gapOf(transport.capabilities.queue));
  });

  it("refuses before the first call: nothing is dialed", () => {
    const transport = memory(plain, GAPS);
    thrownBy(() => createClient(Jobs, transport));
    expect(transport.listener.connectionCount).toBe(0);
  });

  it.each([
    ["serverStream", serverStream()],
    ["clientStream", clientStream()],
    ["bidiStream", bidiStream()],
    ["notify", notification()],
  ] as const)("refuses what needs %s on a transport without it", (capability, method) => {
    const Needy = defineContract("test.Needy", { m: method });
    const { transport } = dialTo({
      capabilities: { [capability]: { unsupported: "this wire is too thin; use another" } },
    });
    const error = thrownBy(() => createClient(Needy, transport));
    expect(error).toMatchObject({ code: "FAILED_PRECONDITION", details: { capability } });
    expect(error.message).toContain("this wire is too thin; use another");
  });

  it("takes unary calls on any transport", () => {
    expect(() => createClient(Plain, memory(plain))).not.toThrow();
  });

  it("refuses a router at the listener, in the same way", () => {
    const router = createRouter(Events, { a: () => 1 });
    expect(thrownBy(() => listen(router, GAPS))).toMatchObject({
      code: "FAILED_PRECONDITION",
      details: { capability: "topics" },
    });
    expect(thrownBy(() => createMemoryTransport(router, GAPS))).toMatchObject({ code: "FAILED_PRECONDITION" });
  });

  it("refuses what a client serves to its server, in the same way", () => {
    expect(thrownBy(() => dialTo({ ...GAPS, serve: createRouter(Events, { a: () => 1 }) }))).toMatchObject({
      code: "FAILED_PRECONDITION",
    });
  });

  it("refuses a client for the peer, in the same way", async () => {
    const transport = memory(plain, GAPS);
    await transport.ready();
    const [peer] = transport.listener.peers;
    expect(thrownBy(() => peer?.client(Events))).toMatchObject({
      code: "FAILED_PRECONDITION",
      details: { capability: "topics" },
    });
  });

  it("refuses what is no contract as a client for the peer", async () => {
    const transport = memory(plain);
    await transport.ready();
    const [peer] = transport.listener.peers;
    expect(thrownBy(() => peer?.client({} as typeof Plain))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("names a sentence for every gap", () => {
    const supports = Object.values(memory(plain).capabilities) as (string | { readonly unsupported: string })[];
    const gaps = supports.map((support) => gapOf(support)).filter((gap) => gap !== undefined);
    expect(gaps.length).toBeGreaterThan(0);
    expect(gaps.filter((gap) => gap.length < 20)).toEqual([]);
  });
});
