import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { curveKeyPair, Dealer, Request, type SocketOptions } from "zeromq";
import { createMdpTransport } from "../src/index.ts";
import { type MdpBroker, type MdpBrokerOptions, runMdpBroker } from "../src/broker/run-broker.ts";

const EMPTY = Buffer.alloc(0);
const READY = Buffer.of(1);
const REQUEST = 2;
const REPLY = Buffer.of(3);

const REFUSALS = [
  "handshake:error:auth",
  "handshake:error:protocol",
  "handshake:error:other",
  "disconnect",
  "connect:retry",
] as const;

const open: { close(): unknown }[] = [];

afterEach(async () => {
  // Sockets before brokers: a broker waits for what its workers have begun.
  for (const one of open.splice(0).toReversed()) await one.close();
});

async function start(options: Partial<MdpBrokerOptions> = {}): Promise<MdpBroker> {
  const broker = await runMdpBroker({ endpoint: "tcp://127.0.0.1:*", ...options });
  open.push({ close: () => broker.close({ drainMs: 0 }) });
  return broker;
}

function dealer(endpoint: string, options: SocketOptions<Dealer> = {}): Dealer {
  const socket = new Dealer({ linger: 0, ...options });
  open.push(socket);
  socket.connect(endpoint);
  return socket;
}

function registered(broker: MdpBroker): Promise<void> {
  return new Promise((resolve) => {
    const off = broker.on("workerReady", () => {
      off();
      resolve();
    });
  });
}

/** A worker that answers each request with its own body. */
async function echoWorker(
  broker: MdpBroker,
  endpoint = broker.endpoint,
  options: SocketOptions<Dealer> = {},
): Promise<void> {
  const worker = dealer(endpoint, options);
  const ready = registered(broker);
  await worker.send([EMPTY, "MDPW01", READY, "echo"]);
  void serve(worker);
  await ready;
}

async function serve(worker: Dealer): Promise<void> {
  try {
    for await (const [, , command, ...rest] of worker) {
      if (command?.[0] === REQUEST) await worker.send([EMPTY, "MDPW01", REPLY, ...rest]);
    }
  } catch {
    // Closed.
  }
}

async function ask(client: Dealer, service: string, ...body: readonly string[]): Promise<string[]> {
  await client.send([EMPTY, "MDPC01", service, ...body]);
  return (await client.receive()).map(String);
}

describe("a broker at its sockets", () => {
  it("carries requests of REQ and DEALER clients, and keeps their marks", async () => {
    const broker = await start();
    await echoWorker(broker);
    expect(await ask(dealer(broker.endpoint), "echo", "a.do", "{}")).toEqual(["", "MDPC01", "echo", "a.do", "{}"]);
    const req = new Request({ linger: 0 });
    open.push(req);
    req.connect(broker.endpoint);
    await req.send(["MDPC01", "echo", "10", "a.do", "{}"]);
    expect((await req.receive()).map(String)).toEqual(["MDPC01", "echo", "a.do", "{}"]);
    const client = dealer(broker.endpoint);
    for (let at = 0; at < 100; at += 1) await client.send([String(at), EMPTY, "MDPC01", "echo", String(at)]);
    for (let at = 0; at < 100; at += 1) {
      expect((await client.receive()).map(String)).toEqual([String(at), "", "MDPC01", "echo", String(at)]);
    }
    expect(broker.stats()).toMatchObject({ workers: 1, waiting: 0, inFlight: 0, counters: { replies: 102 } });
    expect(broker.workers()).toMatchObject([{ service: "echo", answered: 102 }]);
  });

  it("has a second one for clients, who reach the workers of the first", async () => {
    const broker = await start({ clientEndpoint: "tcp://127.0.0.1:*" });
    const [inner, outer] = broker.endpoints;
    if (inner === undefined || outer === undefined) throw new Error("There are two doors.");
    await echoWorker(broker, inner);
    const stranger = dealer(outer);
    await stranger.send([EMPTY, "MDPW01", READY, "echo"]);
    expect((await stranger.receive()).map((frame) => frame.toString("hex"))).toEqual(["", "4d4450573031", "05"]);
    expect(await ask(dealer(outer), "echo", "x")).toEqual(["", "MDPC01", "echo", "x"]);
  });

  it("sends workers of its predecessor away, so that they register again", async () => {
    const first = await start();
    const worker = dealer(first.endpoint);
    const ready = registered(first);
    await worker.send([EMPTY, "MDPW01", READY, "echo"]);
    await ready;
    await first.close({ drainMs: 0 });
    expect((await worker.receive()).at(-1)).toEqual(Buffer.of(5));
    const second = await start({ endpoint: first.endpoint });
    await worker.send([EMPTY, "MDPW01", Buffer.of(4)]);
    expect((await worker.receive()).at(-1)).toEqual(Buffer.of(5));
    expect(second.stats().counters.strangers).toBe(1);
  });

  it("notices at the next sign of life that a worker's connection is gone, and fails what it had", async () => {
    const broker = await start({ heartbeatMs: 20, liveness: 1_000 });
    const worker = dealer(broker.endpoint);
    const ready = registered(broker);
    await worker.send([EMPTY, "MDPW01", READY, "echo"]);
    await ready;
    const client = dealer(broker.endpoint);
    await client.send([EMPTY, "MDPC01", "echo", "a.do", "{}"]);
    while ((await worker.receive())[2]?.[0] !== REQUEST);
    worker.close();
    expect(String((await client.receive()).at(-1))).toContain("WORKER_LOST");
    expect(broker.stats()).toMatchObject({ workers: 0, inFlight: 0 });
  });

  it("gives nothing to a second socket with the identity of another", async () => {
    const broker = await start();
    await echoWorker(broker);
    const first = dealer(broker.endpoint, { routingId: "twin" });
    expect(await ask(first, "echo", "x")).toEqual(["", "MDPC01", "echo", "x"]);
    const second = new Dealer({ linger: 0, routingId: "twin" });
    open.push(second);
    const met = new Promise((resolve) => second.events.on("handshake", resolve));
    second.connect(broker.endpoint);
    await met;
    await second.send([EMPTY, "MDPW01", READY, "stolen"]);
    for (let at = 0; at < 50; at += 1) {
      expect(await ask(first, "mmi.service", "stolen")).toEqual(["", "MDPC01", "mmi.service", "404"]);
    }
  });

  it("lives through everything that is no Majordomo", async () => {
    const broker = await start({ maxFrameBytes: 10_000, maxMessageBytes: 15_000 });
    await echoWorker(broker);
    const { port } = new URL(broker.endpoint);
    for (const bytes of [
      "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
      Buffer.alloc(4_096, 0xff),
      // An old greeting, and a frame of 2^63 bytes behind a good one.
      Buffer.from("ff00000000000000017f00", "hex"),
      Buffer.from(`ff00000000000000017f03004e554c4c${"00".repeat(48)}028000000000000000`, "hex"),
    ]) {
      await new Promise<void>((resolve) => {
        const socket = connect(Number(port), "127.0.0.1", () => socket.end(bytes));
        // It may be reset instead of ended.
        socket.on("error", () => undefined);
        socket.on("close", () => resolve()).resume();
      });
    }
    const hostile = new Dealer({ linger: 0 });
    open.push(hostile);
    const lost = new Promise((resolve) => hostile.events.on("disconnect", resolve));
    hostile.connect(broker.endpoint);
    for (const frames of [
      [EMPTY],
      Array.from({ length: 10_000 }, () => EMPTY),
      [EMPTY, "MDPX01", "s"],
      [EMPTY, "MDPC01", "echo", Buffer.alloc(9_000), Buffer.alloc(9_000)],
    ]) {
      await hostile.send(frames);
    }
    // Answered: what came before has been read.
    expect(await ask(hostile, "mmi.service", "echo")).toEqual(["", "MDPC01", "mmi.service", "200"]);
    expect(broker.stats().counters).toMatchObject({ malformed: 1, header: 1, tooLarge: 2 });
    await hostile.send([EMPTY, "MDPC01", "echo", Buffer.alloc(20_000)]);
    await lost;
    expect(await ask(dealer(broker.endpoint), "echo", "x")).toEqual(["", "MDPC01", "echo", "x"]);
  });

  it("says why it cannot begin, and leaves nothing open", async () => {
    const broker = await start();
    await expect(runMdpBroker({ endpoint: broker.endpoint })).rejects.toThrow("in use");
    await expect(runMdpBroker({ endpoint: "tcp://127.0.0.1:*", heartbeatMs: 0 })).rejects.toThrow("heartbeatMs");
    await expect(runMdpBroker({ endpoint: "udp://127.0.0.1:1" })).rejects.toThrow("cannot listen");
    // As they come out of a file: none of these may quietly mean something else.
    for (const [options, text] of [
      [{ timeoutFrame: "nevr" }, "timeoutFrame"],
      [{ services: { s: { onWorkerLost: "retry" } } }, "onWorkerLost"],
      [{ services: { s: { priority: 5 } } }, "priority"],
      [{ partials: "some" }, "partials"],
      [{ errorReplies: "all" }, "errorReplies"],
      [{ maxUnsent: 0 }, "maxUnsent"],
      [{ maxFrameBytes: Number.NaN }, "maxFrameBytes"],
      [{ rules: { service: "*" } }, "rules"],
      [{ rules: [{ service: "*", mayRequest: "no" }] }, "mayRequest"],
      [{ rules: [{ servce: "*" }] }, "a rule is"],
      [{ rules: [{ mayRequest: true }] }, "names no service"],
      [{ doors: [{ endpoint: "tcp://127.0.0.1:*", rules: [null] }] }, "no rule"],
    ] as const) {
      const broker = runMdpBroker({ endpoint: "tcp://127.0.0.1:*", ...(options as object) });
      await expect(broker).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringContaining(text) });
    }
    const dialect = "zmq" as "auto";
    await expect(runMdpBroker({ endpoint: "tcp://127.0.0.1:*", dialect })).rejects.toThrow("auto, domogik");
    const twice = runMdpBroker({ endpoint: "tcp://127.0.0.1:*", clientEndpoint: broker.endpoint });
    await expect(twice).rejects.toThrow("in use");
  });

  it("listens at IPv6, and is reached there", async () => {
    const broker = await start({ endpoint: "tcp://[::1]:*" });
    expect(broker.endpoint).toMatch(/^tcp:\/\/\[::1\]:/);
    await echoWorker(broker, broker.endpoint, { ipv6: true });
    const transport = createMdpTransport(broker.endpoint);
    open.push(transport);
    await transport.ready();
  });

  it("is closed once, and gives its endpoint back", async () => {
    const broker = await start();
    await Promise.all([broker.close(), broker.close(), broker[Symbol.asyncDispose]()]);
    expect((await start({ endpoint: broker.endpoint })).endpoint).toBe(broker.endpoint);
  });
});

describe("a broker that asks who is there", () => {
  const server = curveKeyPair();
  const friend = curveKeyPair();
  const stranger = curveKeyPair();
  const as = (keys: { publicKey: string; secretKey: string }, serverKey = server.publicKey): SocketOptions<Dealer> => ({
    curveServerKey: serverKey,
    curvePublicKey: keys.publicKey,
    curveSecretKey: keys.secretKey,
  });
  /** Tries to come in and say something; settles when it was not let in. */
  const refused = async (endpoint: string, options: SocketOptions<Dealer>): Promise<void> => {
    const socket = new Dealer({ linger: 0, ...options });
    open.push(socket);
    // Before it connects: what has happened already is not told.
    const no = new Promise((resolve) => {
      for (const event of REFUSALS) socket.events.on(event, resolve);
    });
    socket.connect(endpoint);
    await socket.send([EMPTY, "MDPW01", READY, "echo"]);
    await no;
    socket.close();
  };

  it("lets in whose key it knows, and nobody else", async () => {
    const broker = await start({
      auth: { mechanism: "curve", secretKey: server.secretKey, admit: [friend.publicKey] },
    });
    await echoWorker(broker, broker.endpoint, as(friend));
    expect(await ask(dealer(broker.endpoint, as(friend)), "echo", "x")).toEqual(["", "MDPC01", "echo", "x"]);
    const { received } = broker.stats().counters;
    for (const options of [
      as(stranger),
      as(friend, stranger.publicKey),
      {},
      { plainUsername: "friend", plainPassword: "x" },
    ]) {
      await refused(broker.endpoint, options);
    }
    expect(broker.stats()).toMatchObject({ workers: 1, counters: { received } });
  });

  it.each(["tcp://*:0", "tcp://0.0.0.0:*", "tcp://[::]:*", "tcp://eth0:*"])(
    "is not opened to the network at %s by forgetting an option",
    async (endpoint) => {
      await expect(runMdpBroker({ endpoint })).rejects.toThrow("allowInsecure");
      const auth = { mechanism: "plain", admit: { igor: "sesame" } } as const;
      await expect(runMdpBroker({ endpoint, auth })).rejects.toThrow("passwords");
      const badKey = { mechanism: "curve", secretKey: "short", admit: [] } as const;
      await expect(runMdpBroker({ endpoint, auth: badKey })).rejects.toThrow("40 characters");
    },
  );

  it("opens to the network when that is said, or when it asks for keys", async () => {
    const auth = { mechanism: "curve", secretKey: server.secretKey, admit: [] } as const;
    for (const options of [{ allowInsecure: true }, { auth }]) {
      expect((await start({ endpoint: "tcp://0.0.0.0:*", ...options })).endpoint).toMatch(/^tcp:/);
    }
  });

  it("asks a function, and takes what it throws for a no", async () => {
    const lines: string[] = [];
    const broker = await start({
      auth: {
        mechanism: "curve",
        secretKey: server.secretKey,
        admit: async (publicKey, address) => {
          if (publicKey !== friend.publicKey) throw new Error(`Who is ${address}?`);
          return true;
        },
      },
    });
    broker.on("log", (line) => lines.push(line));
    await refused(broker.endpoint, as(stranger));
    expect(lines[0]).toContain("Who is 127.0.0.1?");
    await echoWorker(broker, broker.endpoint, as(friend));
  });

  it("compares passwords", async () => {
    const broker = await start({ auth: { mechanism: "plain", admit: { igor: "sesame" } } });
    await echoWorker(broker, broker.endpoint, { plainUsername: "igor", plainPassword: "sesame" });
    for (const [plainUsername, plainPassword] of [
      ["igor", "wrong"],
      ["toString", "x"],
      ["nobody", "x"],
    ]) {
      await refused(broker.endpoint, { plainUsername, plainPassword } as SocketOptions<Dealer>);
    }
    expect(broker.stats().workers).toBe(1);
  });

  it("gives each door rights of its own, and neighbours in a process do not answer for each other", async () => {
    const outside = await start({ auth: { mechanism: "plain", admit: { other: "other" } } });
    const broker = await start({
      auth: { mechanism: "curve", secretKey: server.secretKey, admit: [friend.publicKey] },
      doors: [
        {
          endpoint: "tcp://127.0.0.1:*",
          auth: { mechanism: "plain", admit: { guest: "guest" } },
          rules: [{ service: "echo", mayRequest: true }],
        },
      ],
    });
    const guests = broker.endpoints[1] ?? "";
    const guest = { plainUsername: "guest", plainPassword: "guest" };
    await echoWorker(broker, broker.endpoint, as(friend));
    expect(await ask(dealer(guests, guest), "echo", "x")).toEqual(["", "MDPC01", "echo", "x"]);
    expect((await ask(dealer(guests, guest), "dbmgr", "a.do", "{}")).at(-1)).toContain("FORBIDDEN");
    const usurper = dealer(guests, guest);
    await usurper.send([EMPTY, "MDPW01", READY, "echo"]);
    expect((await usurper.receive()).at(-1)).toEqual(Buffer.of(5));
    await refused(outside.endpoint, guest);
  });
});
