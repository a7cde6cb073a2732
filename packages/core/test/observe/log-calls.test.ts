import { describe, expect, it } from "vitest";
import { type CallLogFields, type CallLogger, forward, logCalls, type LogCallsOptions } from "../../src/index.ts";
import { createClient, createMemoryTransport, createRouter, defineContract, unary } from "../../src/index.ts";
import { FakeClock, settled } from "../fake-clock.ts";
import { all, failure, memory } from "../rig.ts";
import { shop } from "./rig.ts";

function logger() {
  const lines: { level: string; fields: CallLogFields; message: string }[] = [];
  const at = (level: string) => (fields: CallLogFields, message: string) => void lines.push({ level, fields, message });
  return { lines, logger: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") } };
}

function logged(side: "client" | "server", options: LogCallsOptions = {}) {
  const { lines, logger: log } = logger();
  const clock = new FakeClock();
  const interceptor = logCalls(log, { clock, ...options });
  return { lines, ...shop({ [side]: [interceptor] }, undefined, clock) };
}

describe.each(["client", "server"] as const)("logCalls at a %s", (side) => {
  it("writes one line for each call, with method, id, duration and code", async () => {
    const { client, lines } = logged(side);
    await client.buy(2);
    expect(lines).toHaveLength(1);
    const [line] = lines;
    expect(line?.level).toBe("info");
    expect(line?.message).toBe("demo.Shop.buy OK in 0 ms");
    expect(line?.fields).toMatchObject({ side, method: "demo.Shop.buy", kind: "unary", durationMs: 0, code: "OK" });
    expect(line?.fields.id).not.toBe("");
  });

  it("chooses the level by the outcome", async () => {
    const { client, lines } = logged(side);
    await failure(client.fail());
    await failure(client.crash());
    expect(lines.map(({ level, fields }) => [level, fields.code])).toEqual([
      ["warn", "NOT_FOUND"],
      ["error", "UNKNOWN"],
    ]);
  });

  it("takes levels of one's own, and writes nothing for off", async () => {
    const { client, lines } = logged(side, { levels: { OK: "off", NOT_FOUND: "debug" } });
    await client.buy(1);
    await failure(client.fail());
    expect(lines.map(({ level }) => level)).toEqual(["debug"]);
  });

  it("says how long a call took, and that it was cancelled", async () => {
    const { client, lines, clock } = logged(side);
    const call = failure(client.later(undefined, { timeoutMs: 50 }));
    await settled();
    await clock.advance(500);
    await call;
    // The caller's word that it wants no reply may be there before the deadline is noticed, which is swept and not timed.
    expect(["DEADLINE_EXCEEDED", "CANCELLED"]).toContain(lines[0]?.fields.code);
    expect(lines).toHaveLength(1);
    expect(lines[0]?.fields.durationMs).toBeGreaterThanOrEqual(50);
  });

  it("writes a line for a stream at its end, and for one that its reader leaves", async () => {
    const { client, lines } = logged(side);
    await all(client.list(3));
    for await (const _one of client.list(300)) break;
    await settled();
    expect(lines.map(({ fields }) => [fields.kind, fields.code])).toEqual([
      ["serverStream", "OK"],
      ["serverStream", "CANCELLED"],
    ]);
  });

  it("writes no input unless it is asked to", async () => {
    const plain = logged(side);
    await plain.client.buy(4);
    expect(plain.lines[0]?.fields).not.toHaveProperty("input");
    const asked = logged(side, { input: (input) => input });
    await asked.client.buy(4);
    expect(asked.lines[0]?.fields.input).toBe(4);
  });

  it("H74 puts texts of the peer on one line", async () => {
    const { client, lines } = logged(side);
    await failure(client.fail());
    expect(lines[0]?.fields.error).toBe(String.raw`nothing\u000d\u000ahere`);
  });

  it("gives what was thrown only when asked to", async () => {
    const plain = logged(side);
    await failure(plain.client.crash());
    expect(plain.lines[0]?.fields).not.toHaveProperty("err");
    const asked = logged(side, { thrown: true });
    await failure(asked.client.crash());
    expect(asked.lines[0]?.fields.err).toBeInstanceOf(Error);
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("disk full");
      },
    ],
    ["rejects", () => Promise.reject(new Error("disk full"))],
    ["never settles", () => new Promise(() => undefined)],
  ])("H79 is not harmed by a logger that %s", async (_what, write) => {
    const broken: CallLogger = { debug: write, info: write, warn: write, error: write };
    const { client } = shop({ [side]: [logCalls(broken)] });
    expect(await client.buy(2)).toBe(4);
    expect(await failure(client.fail())).toMatchObject({ code: "NOT_FOUND" });
    expect(await all(client.list(2))).toEqual([1, 2]);
    await settled();
  });

  it("H79 is not harmed by an input option that throws", async () => {
    const { client } = logged(side, {
      input: () => {
        throw new Error("on purpose");
      },
    });
    expect(await client.buy(2)).toBe(4);
  });
});

it("names the peer at a server, by its endpoint while it has no identity", async () => {
  const { client, lines } = logged("server");
  await client.buy(1);
  expect(lines[0]?.fields.peer).toMatch(/^memory:/);
});

it("gives both ends of a call with a handle the same id", async () => {
  const ends = [logger(), logger()] as const;
  const { client } = shop({ client: [logCalls(ends[0].logger)], server: [logCalls(ends[1].logger)] });
  const call = client.buy.start(1);
  await call;
  expect([ends[0].lines[0]?.fields.id, ends[1].lines[0]?.fields.id]).toEqual([call.id, call.id]);
});

it("names a notification OK when it was handed over", async () => {
  const { client, lines } = logged("client");
  await client.ring();
  expect(lines.map(({ fields }) => [fields.kind, fields.code])).toEqual([["notification", "OK"]]);
});

it("sees calls that a gateway passes on as the other end's", async () => {
  const Plain = defineContract("demo.Plain", { ask: unary() });
  const { lines, logger: log } = logger();
  const backend = memory(createRouter(Plain, { ask: () => 1 }, { interceptors: [logCalls(log)] }));
  const gateway = createMemoryTransport(forward(backend));
  expect(await createClient(Plain, gateway).ask()).toBe(1);
  await gateway.close();
  expect(lines.map(({ fields }) => fields.side)).toEqual(["server"]);
});
