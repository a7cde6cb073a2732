import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createDumpProgram, eventLine } from "../src/pubsub/command/program.ts";
import { createMdpPublisher, runForwarder } from "../src/index.ts";

describe("the sniffer", () => {
  it("writes an event on one line, whatever stands in it", () => {
    const event = {
      id: "",
      category: "device\u001b[2J",
      time: 1_000,
      content: { a: 1, "b\n": "x\u0000" },
      isLastValue: true,
    };
    expect(eventLine(event, false)).toBe(
      String.raw`1970-01-01T00:00:01.000Z device\u001b[2J a=1 b\u000a="x\u0000" (last value)`,
    );
    expect(eventLine({ ...event, category: "c", content: [1], time: -1, isLastValue: false }, true)).toBe(
      "\u001b[2m-1\u001b[22m \u001b[36mc\u001b[39m [1]",
    );
  });

  it("ends with the reason where it is not let in", async () => {
    const forwarder = await runForwarder({
      publishers: "tcp://127.0.0.1:*",
      subscribers: "tcp://127.0.0.1:*",
      auth: { mechanism: "plain", admit: { ada: "secret" } },
    });
    onTestFinished(() => forwarder.close());
    const dump = createDumpProgram().parseAsync(["--endpoint", forwarder.subscribers, "--password", "ada:guess"], {
      from: "user",
    });
    await expect(dump).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  });

  it("prints what passes and matches, and ends after as many as it is told", async () => {
    const forwarder = await runForwarder({
      publishers: "tcp://127.0.0.1:*",
      subscribers: "tcp://127.0.0.1:*",
      lastValues: true,
    });
    onTestFinished(() => forwarder.close());
    const publisher = createMdpPublisher(forwarder.publishers, { now: () => 2_000 });
    onTestFinished(() => publisher.close());
    const lines: string[] = [];
    const print = vi.spyOn(process.stdout, "write").mockImplementation((text) => lines.push(String(text)) > 0);
    const say = vi.spyOn(process.stderr, "write").mockImplementation(() => {
      for (const n of [1, 2, 3]) publisher.publish("device-stats", { n });
      publisher.publish("plugin.status", { n: 2 });
      return true;
    });
    try {
      await createDumpProgram().parseAsync(
        ["device", "--endpoint", forwarder.subscribers, "--match", "[23]", "--count", "2", "--no-colors"],
        { from: "user" },
      );
    } finally {
      print.mockRestore();
      say.mockRestore();
    }
    expect(lines).toEqual([
      "1970-01-01T00:00:02.000Z device-stats n=2\n",
      "1970-01-01T00:00:02.000Z device-stats n=3\n",
    ]);
  });
});
