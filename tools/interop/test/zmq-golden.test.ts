import { describe, expect, it } from "vitest";
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
});
