import { expect, it } from "vitest";
import { failure, until } from "../rig.ts";
import { ourBroker, ourClient, readyAt } from "../zmq/ours.ts";
import { outputOf, start } from "../zmq/rig.ts";
import { SERVICE } from "../zmq/sums.ts";

interface KeyPair {
  readonly public: string;
  readonly secret: string;
}

async function keyPairs(count: number): Promise<readonly KeyPair[]> {
  return (await outputOf("keys", count)) as unknown as readonly KeyPair[];
}

const keysOf = (server: string, own: KeyPair): string[] => [
  `--server-key=${server}`,
  `--public-key=${own.public}`,
  `--secret-key=${own.secret}`,
];

/** Whether a foreign client gets an answer, within a time that is short only where none may come. */
async function isAnswered(endpoint: string, timeoutMs: number, ...security: string[]): Promise<boolean> {
  const [told] = await outputOf(
    "client",
    endpoint,
    "mmi.service",
    "--body",
    SERVICE,
    "--timeout",
    timeoutMs,
    ...security,
  );
  return told?.["body"] !== null;
}

it("CURVE: keys let foreign peers in, and nothing else does", async () => {
  const [server, friend, stranger] = (await keyPairs(3)) as [KeyPair, KeyPair, KeyPair];
  const broker = await ourBroker({ auth: { mechanism: "curve", secretKey: server.secret, admit: [friend.public] } });
  const { endpoint } = broker;
  const ready = readyAt(broker);
  start("worker", endpoint, SERVICE, ...keysOf(server.public, friend));
  await ready;
  expect(await isAnswered(endpoint, 10_000, ...keysOf(server.public, friend))).toBe(true);
  const wrong: string[][] = [
    keysOf(server.public, stranger),
    keysOf(stranger.public, friend),
    [],
    ["--username=a", "--password=b"],
  ];
  expect(await Promise.all(wrong.map((security) => isAnswered(endpoint, 700, ...security)))).toEqual([
    false,
    false,
    false,
    false,
  ]);
  const client = ourClient(endpoint, {
    dialect: "rfc7",
    credentials: { serverKey: server.public, publicKey: friend.public, secretKey: friend.secret },
  });
  expect(await client.add({ a: 1, b: 2 }, { timeoutMs: 10_000 })).toBe(3);
});

it("PLAIN: a name and its password let foreign peers in, and rules say what they may", async () => {
  const broker = await ourBroker({
    auth: { mechanism: "plain", admit: { bot: "secret" } },
    rules: [
      { service: "mmi.*", mayRequest: true },
      { service: SERVICE, mayRegister: true },
    ],
  });
  const { endpoint } = broker;
  const security = ["--username=bot", "--password=secret"];
  const ready = readyAt(broker);
  start("worker", endpoint, SERVICE, ...security);
  const forbidden = start("worker", endpoint, "manager", "--reconnect", 50, ...security);
  await ready;
  await forbidden.line({ event: "reconnect", why: "DISCONNECT" });
  expect(broker.workers().map(({ service }) => service)).toEqual([SERVICE]);
  expect(await isAnswered(endpoint, 10_000, ...security)).toBe(true);
  expect(await isAnswered(endpoint, 700, "--username=bot", "--password=guess")).toBe(false);
  const client = ourClient(endpoint, { credentials: { username: "bot", password: "secret" } });
  expect(await failure(client.add({ a: 1, b: 2 }, { timeoutMs: 10_000 }))).toMatchObject({
    code: "PERMISSION_DENIED",
    reason: "FORBIDDEN",
  });
  await until(() => broker.stats().counters.forbidden >= 2);
});

it("no foreign worker registers what is the broker's own", async () => {
  const broker = await ourBroker();
  for (const service of ["mmi.service", "mmi.other", "titanic.request"]) {
    const worker = start("worker", broker.endpoint, service, "--reconnect", 50);
    await worker.line({ event: "reconnect", why: "DISCONNECT" });
  }
  expect(broker.workers()).toEqual([]);
  expect(await isAnswered(broker.endpoint, 10_000)).toBe(true);
});
