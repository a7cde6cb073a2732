import { createMdpClient, MdpAsyncClient, type MdpClient, MdpWorker, MqMessage } from "@rpc/zmq-mdp";
import { expect, it } from "vitest";
import { failure, until } from "../rig.ts";
import { ourBroker, readyAt } from "../zmq/ours.ts";
import { closeAfterwards, outputOf, start, startBound } from "../zmq/rig.ts";

const CONFIG = '{"host": "igor", "plugin": "velbus", "key": "protocol"}';
const PATIENCE = { timeoutMs: 10_000 };

/** Serves what the workers in Python serve, in the manner of Domogik's own programs. */
class Dbmgr extends MdpWorker {
  readonly #holding: (() => void)[] = [];

  /** How many have been asked to wait. */
  get held(): number {
    return this.#holding.length;
  }

  release(): void {
    for (const release of this.#holding.splice(0)) release();
  }

  protected async onRequest(message: MqMessage): Promise<MqMessage> {
    const { action, data } = message;
    if (action === "hold.do") await new Promise<void>((resolve) => this.#holding.push(resolve));
    if (action === "config.get")
      return new MqMessage("config.result", { ...data, value: "usb", reason: "", status: true });
    if (action === "fail.do") throw new Error("it cannot be done");
    return new MqMessage("echo.result", data);
  }
}

function dbmgr(broker: string): Dbmgr {
  const worker = new Dbmgr("dbmgr", { broker });
  closeAfterwards(() => worker.close());
  return worker;
}

function client(endpoint: string): MdpClient {
  const opened = createMdpClient(endpoint);
  closeAfterwards(() => opened.close());
  return opened;
}

it("our worker answers Domogik's client through Domogik's broker, whatever that makes of the request", async () => {
  const [broker, endpoint] = await startBound("domogik_broker");
  dbmgr(endpoint);
  await broker.line({ event: "worker" });
  const ask = async (...args: string[]) => (await outputOf("domogik_client", endpoint, "dbmgr", ...args))[0];
  expect(await ask("config.get", CONFIG)).toMatchObject({
    action: "config.result",
    reply: { key: "protocol", value: "usb" },
  });
  expect(await ask("fail.do", "{}")).toMatchObject({ reply: { status: false, reason: "it cannot be done" } });
  // The word None arrives as the action, and the action as data.
  expect(await ask("echo.do", "{}", "--timeout", "None")).toMatchObject({ reply: { status: false } });
  expect(await ask("echo.do", "no JSON")).toMatchObject({ reply: { status: false } });
  expect(await ask("echo.do", "[1]")).toMatchObject({ reply: { status: false } });
  // Python writes NaN, which is no JSON: it is understood, and answered with null.
  expect(await ask("echo.do", '{"a": NaN, "b": "\\u00e9"}')).toMatchObject({ reply: { a: null, b: "é" } });
  const single = await outputOf("domogik_client", endpoint, "dbmgr", "echo.do", "--raw");
  expect(single).toMatchObject([{ reply: [expect.anything(), expect.stringContaining('"status"')] }, { done: true }]);
});

it("our clients ask Domogik's worker through Domogik's broker, in any order", async () => {
  const [broker, endpoint] = await startBound("domogik_broker");
  start("domogik_worker", endpoint, "dbmgr");
  await broker.line({ event: "worker" });
  const messages = client(endpoint);
  const numbers = [1, 2, 3, 4, 5];
  const replies = numbers.map((n) => messages.request("dbmgr", new MqMessage("echo.do", { n, text: "é🎉" }), PATIENCE));
  expect((await Promise.all(replies)).map(({ action, data }) => [action, data])).toEqual(
    numbers.map((n) => ["echo.result", { n, text: "é🎉" }]),
  );
  expect(await messages.isServed("dbmgr")).toBe(true);
  expect(await messages.isServed("none")).toBe(false);
  expect(await messages.services()).toEqual(["dbmgr"]);

  const asynchronous = new MdpAsyncClient(endpoint, "dbmgr");
  closeAfterwards(() => asynchronous.close());
  const config = new Promise<MqMessage>((resolve) => asynchronous.on("message", resolve));
  asynchronous.request(new MqMessage("config.get", { key: "protocol" }), 10_000);
  expect((await config).data).toEqual({ key: "protocol", value: "usb", reason: "", status: true });
  // Nothing says that the service is unknown there: the request is dropped.
  const nobody = messages.request("nobody", new MqMessage("echo.do"), { timeoutMs: 200 });
  expect(await failure(nobody)).toMatchObject({ code: "DEADLINE_EXCEEDED" });
});

it("our broker tells in Domogik's words what the original leaves unsaid", async () => {
  const broker = await ourBroker({ dialect: "domogik", maxQueue: 1 });
  const { endpoint } = broker;
  // With patience of its own beyond that which it tells: Domogik's client has given up when the request expires.
  const ask = async (service: string, patience: string) => {
    const frames = [patience, "hold.do", "{}"].flatMap((frame) => ["--body", frame]);
    const [told] = await outputOf("client", endpoint, service, ...frames, "--timeout", 10_000);
    return told?.["body"];
  };
  const error = (code: string): unknown => ["error", expect.stringContaining(`"code":"${code}"`)];
  expect(await ask("nobody", "0.2")).toEqual(error("NO_WORKER"));
  const ready = readyAt(broker);
  const worker = dbmgr(endpoint);
  await ready;
  const busy = outputOf("domogik_client", endpoint, "dbmgr", "hold.do");
  await until(() => worker.held === 1);
  expect(await ask("dbmgr", "0.2")).toEqual(error("EXPIRED"));
  const waits = ask("dbmgr", "30");
  await until(() => broker.stats().waiting === 1);
  expect(await ask("dbmgr", "30")).toEqual(error("QUEUE_FULL"));
  worker.release();
  expect(await busy).toMatchObject([{ action: "echo.result" }, { done: true }]);
  // What waited has its turn now; of what expired the worker has never heard.
  await until(() => worker.held === 1);
  worker.release();
  expect(await waits).toEqual(["echo.result", "{}"]);
  expect(broker.stats().counters).toMatchObject({ replies: 2, expired: 2, queueFull: 1 });
});
