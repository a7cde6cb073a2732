import { describe, expect, it } from "vitest";
import { ourBroker, ourWorker, readyAt } from "../zmq/ours.ts";
import { goldenAmong, goldenBytes, goldenFrames } from "../zmq/golden.ts";
import { RawPeer } from "../zmq/raw-peer.ts";
import { closeAfterwards, outputOf, start, startBound } from "../zmq/rig.ts";
import { Tap } from "../zmq/tap.ts";

/** What passes when Domogik's worker and client talk through a broker. */
const DOMOGIK = [
  "worker-ready",
  "worker-heartbeat",
  "broker-heartbeat",
  "request-plain",
  "request-timeout",
  "worker-request",
  "worker-reply",
  "client-reply",
  "mmi-service-request",
  "mmi-service-200",
  "mmi-services-request",
  "mmi-services-one",
];
const MDP2 = ["mdp02-request", "mdp02-partial", "mdp02-final", "mdp02-worker-ready", "mdp02-worker-final"];
const CONFIG = '{"host": "igor", "plugin": "velbus", "key": "protocol"}';

async function tapBefore(endpoint: string): Promise<Tap> {
  const tap = await Tap.open(endpoint);
  closeAfterwards(() => tap[Symbol.asyncDispose]());
  return tap;
}

function rawPeer(endpoint: string): RawPeer {
  const peer = new RawPeer(endpoint);
  closeAfterwards(() => peer[Symbol.asyncDispose]());
  return peer;
}

/** Domogik's worker and client through a broker, with a tap before it. */
async function domogikScene(endpoint: string, hasWorker: () => Promise<unknown>): Promise<Tap> {
  const tap = await tapBefore(endpoint);
  start("domogik_worker", tap.endpoint, "dbmgr", "--heartbeat", 200);
  await hasWorker();
  const ask = (...args: string[]) => outputOf("domogik_client", tap.endpoint, ...args);
  expect(await ask("dbmgr", "config.get", CONFIG)).toMatchObject([{ reply: { value: "usb" } }, {}]);
  await ask("dbmgr", "config.get", CONFIG, "--no-timeout-frame");
  expect(await ask("mmi.service", "dbmgr", "--raw")).toMatchObject([{ reply: ["200"] }, {}]);
  expect(await ask("mmi.services", "", "--raw")).toMatchObject([{ reply: ["dbmgr"] }, {}]);
  const isBeat = (toBroker: boolean) =>
    tap.until((message) => message.toBroker === toBroker && message.frames[2]?.[0] === 4);
  await Promise.all([isBeat(true), isBeat(false)]);
  return tap;
}

describe("golden frames", () => {
  it("pass between Domogik's peers", async () => {
    const [broker, endpoint] = await startBound("domogik_broker", "--heartbeat", 200);
    const tap = await domogikScene(endpoint, () => broker.line({ event: "worker" }));
    expect(goldenAmong(tap.messages)).toEqual(expect.arrayContaining(DOMOGIK));
    const [first] = tap.messages;
    expect(first?.raw).toEqual(goldenBytes("message-worker-ready"));
    // libzmq's own greeting tells no minor version until it knows the peer's.
    expect(tap.connections[0]?.up.greeting?.subarray(12)).toEqual(goldenBytes("greeting").subarray(12));
    expect(tap.connections[0]?.up.commands[0]).toEqual(goldenBytes("ready-dealer"));
  });

  it("tell of Domogik's faults: DISCONNECT without its empty frame, and the word None as a body", async () => {
    const [broker, endpoint] = await startBound("domogik_broker");
    const raw = rawPeer(endpoint);
    raw.write(goldenBytes("message-worker-ready"));
    await broker.line({ event: "worker" });
    raw.send(goldenFrames("bad-command"));
    expect(await raw.message(0)).toEqual(goldenFrames("broker-disconnect-domogik"));
    const tap = await tapBefore(endpoint);
    const worker = start("domogik_worker", tap.endpoint, "dbmgr");
    await broker.line({ event: "worker" }, broker.lines.length);
    start("domogik_client", tap.endpoint, "dbmgr", "echo.do", '{"a": 1}', "--timeout", "None");
    await worker.line({ event: "failed" });
    expect(goldenAmong(tap.messages)).toEqual(
      expect.arrayContaining(["request-timeout-none", "request-timeout-none-forwarded"]),
    );
  });

  it("pass between peers of RFC 7 and of RFC 18", async () => {
    const [broker, endpoint] = await startBound("broker");
    const tap = await tapBefore(endpoint);
    const worker = start("worker", tap.endpoint, "dbmgr");
    await broker.line({ event: "worker" });
    await worker.stop();
    await broker.line({ event: "gone" });
    await outputOf("mmi", tap.endpoint, "dbmgr");
    await outputOf("mmi", tap.endpoint, "--of", "mmi.other");
    expect(goldenAmong(tap.messages)).toEqual(
      expect.arrayContaining(["worker-ready", "worker-disconnect", "mmi-service-404", "mmi-unknown-501"]),
    );
    const [second, other] = await startBound("broker", "--mdp", 2);
    const tap2 = await tapBefore(other);
    start("worker", tap2.endpoint, "echo", "--mdp", 2);
    await second.line({ event: "worker" });
    await outputOf("client", tap2.endpoint, "echo", "--mdp", 2, "--body", "hi");
    await outputOf("client", tap2.endpoint, "echo", "--mdp", 2, "--body", "h", "--body", "i");
    expect(goldenAmong(tap2.messages)).toEqual(expect.arrayContaining(MDP2));
  });

  it("pass between Domogik's peers and our broker", async () => {
    const broker = await ourBroker({ dialect: "domogik", heartbeatMs: 200 });
    const tap = await domogikScene(broker.endpoint, () => readyAt(broker));
    expect(goldenAmong(tap.messages)).toEqual(expect.arrayContaining(DOMOGIK));
    // What the original sends on as a body, and never answers.
    const none = await outputOf("domogik_client", tap.endpoint, "dbmgr", "echo.do", '{"a": 1}', "--timeout", "None");
    expect(none).toMatchObject([{ action: "echo.result", reply: { a: 1 } }, { done: true }]);
    expect(goldenAmong(tap.messages)).toContain("request-timeout-none");
    expect(goldenAmong(tap.messages)).not.toContain("request-timeout-none-forwarded");
  });

  it("pass between peers of both RFCs and our broker, on one socket", async () => {
    const broker = await ourBroker();
    const tap = await tapBefore(broker.endpoint);
    const ready = readyAt(broker, 2);
    const worker = start("worker", tap.endpoint, "dbmgr");
    start("worker", tap.endpoint, "echo", "--mdp", 2);
    await ready;
    await outputOf("client", tap.endpoint, "echo", "--mdp", 2, "--body", "hi");
    await outputOf("client", tap.endpoint, "echo", "--mdp", 2, "--body", "h", "--body", "i");
    const gone = new Promise((resolve) => broker.on("workerGone", resolve));
    await worker.stop();
    await gone;
    await outputOf("mmi", tap.endpoint, "dbmgr");
    await outputOf("mmi", tap.endpoint, "--of", "mmi.other");
    const expected = [...MDP2, "worker-ready", "worker-disconnect", "mmi-service-404", "mmi-unknown-501"];
    expect(goldenAmong(tap.messages)).toEqual(expect.arrayContaining(expected));
  });

  it("pass between Domogik's broker and our worker", async () => {
    const [broker, endpoint] = await startBound("domogik_broker", "--heartbeat", 200);
    const tap = await tapBefore(endpoint);
    const worker = await ourWorker(tap.endpoint, { service: "dbmgr", concurrency: 1, heartbeatMs: 200 });
    await broker.line({ event: "worker" });
    expect(tap.messages[0]?.raw).toEqual(goldenBytes("message-worker-ready"));
    expect(tap.connections[0]?.up.greeting?.subarray(12)).toEqual(goldenBytes("greeting").subarray(12));
    expect(tap.connections[0]?.up.commands[0]).toEqual(goldenBytes("ready-dealer"));
    await tap.until((message) => message.toBroker && message.frames[2]?.[0] === 4);
    await worker.close();
    await broker.line({ event: "gone" });
    await tap.until((message) => message.toBroker && message.frames[2]?.[0] === 5);
    expect(goldenAmong(tap.messages)).toEqual(
      expect.arrayContaining(["worker-ready", "worker-heartbeat", "worker-disconnect"]),
    );
  });

  it("keep their addresses at our broker, whatever was sent before them", async () => {
    const broker = await ourBroker({ dialect: "domogik" });
    const pair = readyAt(broker, 2);
    for (const service of ["i", "i"]) start("domogik_worker", broker.endpoint, service);
    await pair;
    const raw = rawPeer(broker.endpoint);
    for (const id of ["bad-header-prefix", "bad-no-service", "bad-no-body", "bad-command"]) raw.send(goldenFrames(id));
    // A command of a stranger; all the others are nothing that could be answered.
    expect(await raw.message(0)).toEqual(goldenFrames("broker-disconnect-rfc"));
    const proxied = goldenFrames("proxied-mmi-reply");
    raw.send([...proxied.slice(0, -1), Buffer.alloc(0)]);
    expect(await raw.message(1)).toEqual(proxied);
    const third = readyAt(broker);
    start("domogik_worker", broker.endpoint, "dbmgr");
    await third;
    raw.send(goldenFrames("correlated-request"));
    expect(await raw.message(2)).toEqual(goldenFrames("correlated-reply"));
  });

  it("say that nobody came", async () => {
    const broker = await ourBroker({ dialect: "domogik" });
    const raw = rawPeer(broker.endpoint);
    const [empty, header, name] = goldenFrames("error-reply");
    const body = ["0.2", "echo.do", "{}"].map((text) => Buffer.from(text));
    raw.send([empty ?? Buffer.alloc(0), header ?? Buffer.alloc(0), name ?? Buffer.alloc(0), ...body]);
    expect(await raw.message(0)).toEqual(goldenFrames("error-reply"));
  });
});
