import { createClient, createRouter, defineContract, event, unary } from "@rpc/core";
import { expect, it, onTestFinished } from "vitest";
import { curveKeyPair } from "zeromq";
import {
  createMdpPublisher,
  createMdpSubscriber,
  createMdpTransport,
  type MdpCredentials,
  type MdpTransport,
  runForwarder,
  runMdpBroker,
  serveMdp,
} from "../src/index.ts";

const Safe = defineContract("safe", { open: unary() });
const router = createRouter(Safe, { open: (input) => input });

function transportTo(endpoint: string, credentials?: MdpCredentials): MdpTransport {
  const transport = createMdpTransport(endpoint, { credentials });
  onTestFinished(() => transport.close());
  return transport;
}

it("calls over CURVE with known keys, and not with others", async () => {
  const server = curveKeyPair();
  const worker = curveKeyPair();
  const caller = curveKeyPair();
  const broker = await runMdpBroker({
    endpoint: "tcp://127.0.0.1:*",
    auth: { mechanism: "curve", secretKey: server.secretKey, admit: [worker.publicKey, caller.publicKey] },
  });
  onTestFinished(() => broker.close({ drainMs: 0 }));
  const serverKey = server.publicKey;
  const listener = await serveMdp(router, { broker: broker.endpoint, credentials: { serverKey, ...worker } });
  onTestFinished(() => listener.close());
  const client = createClient(Safe, transportTo(broker.endpoint, { serverKey, ...caller }));
  expect(await client.open("box")).toBe("box");
  const stranger = createClient(Safe, transportTo(broker.endpoint, { serverKey, ...curveKeyPair() }));
  await expect(stranger.open("box")).rejects.toMatchObject({ code: "UNAUTHENTICATED", delivered: "no" });
});

it("calls with a password, and not with another one", async () => {
  const broker = await runMdpBroker({
    endpoint: "tcp://127.0.0.1:*",
    auth: { mechanism: "plain", admit: { ada: "secret" } },
  });
  onTestFinished(() => broker.close({ drainMs: 0 }));
  const ada = { username: "ada", password: "secret" };
  const listener = await serveMdp(router, { broker: broker.endpoint, credentials: ada });
  onTestFinished(() => listener.close());
  expect(await createClient(Safe, transportTo(broker.endpoint, ada)).open(1)).toBe(1);
  const wrong = createClient(Safe, transportTo(broker.endpoint, { ...ada, password: "guess" }));
  await expect(wrong.open(1)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
});

it("ends a subscription to a contract's events where the password is another one", async () => {
  const auth = { mechanism: "plain", admit: { ada: "secret" } } as const;
  const forwarder = await runForwarder({ publishers: "tcp://127.0.0.1:*", subscribers: "tcp://127.0.0.1:*", auth });
  onTestFinished(() => forwarder.close());
  const News = defineContract("news", { told: event() });
  const credentials = { username: "ada", password: "guess" };
  const transport = createMdpTransport("tcp://127.0.0.1:1", { events: forwarder.subscribers, credentials });
  onTestFinished(() => transport.close());
  const subscription = createClient(News, transport).told.subscribe({ resubscribe: false });
  await expect(subscription.ready).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
});

it("publishes over CURVE", async () => {
  const server = curveKeyPair();
  const peer = curveKeyPair();
  const forwarder = await runForwarder({
    publishers: "tcp://127.0.0.1:*",
    subscribers: "tcp://127.0.0.1:*",
    auth: { mechanism: "curve", secretKey: server.secretKey, admit: [peer.publicKey] },
  });
  onTestFinished(() => forwarder.close());
  const credentials = { serverKey: server.publicKey, ...peer };
  const subscriber = createMdpSubscriber(forwarder.subscribers, { credentials });
  onTestFinished(() => subscriber.close());
  await subscriber.ready;
  const publisher = createMdpPublisher(forwarder.publishers, { credentials });
  onTestFinished(() => publisher.close());
  publisher.publish("door", { open: true });
  expect((await subscriber.waitForEvent()).content).toEqual({ open: true });
});
