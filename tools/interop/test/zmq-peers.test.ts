import { describe, expect, it } from "vitest";
import { missingForPeers } from "../zmq/peers.ts";
import { ANY, outputOf, start, startBound } from "../zmq/rig.ts";

it("finds pyzmq", () => {
  expect(missingForPeers).toBeUndefined();
});

// What the foreign peers do with each other is what ours have to live with. In every cell a request with an action and JSON.
describe("foreign peers with each other", () => {
  const JSON_TEXT = '{"n": {n}}';
  const ok = { action: "echo.result", reply: { n: 0 } };
  const rfcClient = (endpoint: string) =>
    outputOf("client", endpoint, "echo", "--body", "echo.do", "--body", JSON_TEXT);
  const rfcOk = [{ number: 0, body: ["echo.result", '{"n": 0}'] }];
  const domogikClient = (endpoint: string) => outputOf("domogik_client", endpoint, "echo", "echo.do", JSON_TEXT);

  it.each([
    ["domogik_broker", "domogik_worker"],
    ["domogik_broker", "worker"],
    ["broker", "domogik_worker"],
    ["broker", "worker"],
  ])("%s and %s serve RFC 7's client", async (broker, worker) => {
    const [running, endpoint] = await startBound(broker);
    start(worker, endpoint, "echo");
    await running.line({ event: "worker" });
    expect((await rfcClient(endpoint)).slice(0, 1)).toEqual(rfcOk);
  });

  it.each(["domogik_worker", "worker"])("Domogik's broker and %s serve Domogik's client", async (worker) => {
    const [running, endpoint] = await startBound("domogik_broker");
    start(worker, endpoint, "echo");
    await running.line({ event: "worker" });
    expect(await domogikClient(endpoint)).toMatchObject([ok, { done: true }]);
  });

  it("RFC 7's broker sends the time-out frame on, at which Domogik's worker fails", async () => {
    const [running, endpoint] = await startBound("broker");
    const worker = start("domogik_worker", endpoint, "echo");
    await running.line({ event: "worker" });
    const client = start("domogik_client", endpoint, "echo", "echo.do");
    expect(await worker.line({ event: "failed" })).toMatchObject({ why: "JSONDecodeError" });
    expect(client.lines).toEqual([{ ready: true }]);
  });

  it("RFC 7's worker answers with the time-out frame, at which Domogik's client fails", async () => {
    const [running, endpoint] = await startBound("broker");
    start("worker", endpoint, "echo");
    await running.line({ event: "worker" });
    expect(await domogikClient(endpoint)).toMatchObject([{ failed: "JSONDecodeError" }, { done: true }]);
  });

  it("speak MDP 0.2 with parts, and MMI", async () => {
    const [running, endpoint] = await startBound("broker", "--mdp", 2);
    start("worker", endpoint, "echo", "--mdp", 2);
    await running.line({ event: "worker" });
    const parts = ["--body", "one", "--body", "two", "--body", "three"];
    expect(await outputOf("client", endpoint, "echo", "--mdp", 2, ...parts)).toMatchObject([
      { body: ["one", "two", "three"] },
      { done: true },
    ]);
    const [other, rfc7] = await startBound("broker");
    const worker = start("worker", rfc7, "echo");
    await other.line({ event: "worker" });
    const codes = async () => (await outputOf("mmi", rfc7, "echo", "none")).map((line) => line["code"]);
    expect(await codes()).toEqual(["200", "404"]);
    await worker.stop();
    await other.line({ event: "gone", why: "disconnected" });
    expect(await codes()).toEqual(["404", "404"]);
    expect(await outputOf("mmi", rfc7, "--of", "mmi.other")).toMatchObject([{ code: "501" }]);
  });

  it("pass events through a forwarder", async () => {
    const forwarder = start("forwarder", ANY, ANY);
    const { publishers, subscribers } = (await forwarder.ready()) as Record<string, string>;
    const subscriber = start("subscriber", subscribers ?? "", "device", "--count", 1);
    await outputOf("publisher", publishers ?? "", "device-stats", '{"a": "é"}', "--await", "device");
    expect(await subscriber.output()).toMatchObject([{ category: "device-stats", content: { a: "é" } }]);
  });
});
