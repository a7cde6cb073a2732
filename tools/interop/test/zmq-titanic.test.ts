import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMdpClient, createTitanicClient } from "@rpc/zmq-mdp";
import { describe, expect, it } from "vitest";
import { goldenAmong } from "../zmq/golden.ts";
import type { Line, PeerProcess } from "../zmq/peers.ts";
import { ANY, closeAfterwards, outputOf, start } from "../zmq/rig.ts";
import { Tap } from "../zmq/tap.ts";

const TIMES = { heartbeatMs: 100, liveness: 4, reconnect: { minMs: 50, maxMs: 100 } };
const BEATS = ["--heartbeat", 100, "--liveness", 4] as const;
const TITANICS_SERVICES = 3;

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "rpc-titanic-"));
  closeAfterwards(async () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts a broker that lets Titanic in. */
function startBroker(name: string, endpoint: string): PeerProcess {
  if (name === "our") return start("our", "broker", endpoint, JSON.stringify({ ...TIMES, titanic: true }));
  return start(name, endpoint, ...BEATS);
}

/** Starts Titanic, and waits until the broker has all of it. */
async function startTitanic(broker: PeerProcess, endpoint: string, folder: string): Promise<PeerProcess> {
  const retry = { minMs: 50, maxMs: 100 };
  const options = { ...TIMES, concurrency: 1, dialect: "rfc7", retry };
  const titanic = start("our", "titanic", endpoint, JSON.stringify(options), folder);
  const services = ["titanic.request", "titanic.reply", "titanic.close"];
  await Promise.all([titanic.ready(), ...services.map((service) => broker.line({ event: "worker", service }))]);
  return titanic;
}

async function ask(endpoint: string, verb: string, ...frames: string[]): Promise<Line> {
  const [told] = await outputOf("titanic", endpoint, verb, ...frames, "--timeout", 10_000);
  return told ?? {};
}

describe.each(["our", "broker"])("our Titanic at %s", (name) => {
  it("keeps a foreign client's request while all others are killed", async () => {
    const folder = temporaryFolder();
    const broker = startBroker(name, ANY);
    const endpoint = (await broker.ready())["endpoint"] as string;
    const titanic = await startTitanic(broker, endpoint, folder);
    const kept = await ask(endpoint, "request", "echo", "Hello world", "é");
    expect(kept).toEqual({ status: "200", frames: [expect.stringMatching(/^[0-9a-f]{32}$/)] });
    const [id = ""] = kept["frames"] as string[];
    await titanic.kill();
    await broker.kill();

    const second = startBroker(name, endpoint);
    await second.ready();
    expect((await (await startTitanic(second, endpoint, folder)).ready())["pending"]).toBe(1);
    start("worker", endpoint, "echo", ...BEATS);
    const answered = { status: "200", frames: ["Hello world", "é"] };
    expect(await ask(endpoint, "reply", id)).toEqual(answered);
    // Asking changes nothing; closing does, and may be done again.
    expect(await ask(endpoint, "reply", id)).toEqual(answered);
    for (let again = 0; again < 2; again++) expect((await ask(endpoint, "close", id))["status"]).toBe("200");
    expect((await ask(endpoint, "reply", id))["status"]).toBe("400");
    expect((await ask(endpoint, "reply", "none"))["status"]).toBe("400");
  });
});

it("Titanic's frames are those of RFC 9, and our client speaks them", async () => {
  const broker = startBroker("broker", ANY);
  const endpoint = (await broker.ready())["endpoint"] as string;
  await startTitanic(broker, endpoint, temporaryFolder());
  expect(broker.told({ event: "worker" })).toHaveLength(TITANICS_SERVICES);
  const tap = await Tap.open(endpoint);
  closeAfterwards(() => tap[Symbol.asyncDispose]());
  const messages = createMdpClient(tap.endpoint, { dialect: "rfc7", timeoutMs: 10_000 });
  closeAfterwards(() => messages.close());
  const client = createTitanicClient(messages);
  const id = await client.request("echo", [Buffer.from("Hello world")]);
  expect(await client.reply(id)).toBeUndefined();
  expect(goldenAmong(tap.messages)).toEqual(expect.arrayContaining(["titanic-request", "titanic-pending"]));
  const stored = tap.messages.find(({ toBroker }) => !toBroker)?.frames.map(String);
  expect(stored).toEqual(["", "MDPC01", "titanic.request", "200", id]);
  start("worker", endpoint, "echo", ...BEATS);
  expect(await ask(endpoint, "reply", id)).toEqual({ status: "200", frames: ["Hello world"] });
  expect((await client.reply(id))?.map(String)).toEqual(["Hello world"]);
  await client.close(id);
});
