import { describe, expect, it } from "vitest";
import { channelSuite, type CaseReport, reportJson, reportLine, runSuite, transportSuite } from "../src/index.ts";
import { BROKEN_CHANNELS } from "./broken-channels.ts";
import { BROKEN_PATTERNS } from "./broken-patterns.ts";
import { BROKEN_TRANSPORTS } from "./broken-transports.ts";
import { memoryChannels, memoryPair, memoryWire } from "./memory-pair.ts";

/** A hang must show soon; a case of a healthy transport takes a few milliseconds. */
const patienceMs = 400;

describe("the channel suite fails a channel that", () => {
  for (const [what, [id, breakIt]] of Object.entries(BROKEN_CHANNELS)) {
    it(`${what} (${id})`, async () => {
      const report = await runSuite((runner) =>
        channelSuite({
          ...runner,
          name: what,
          only: [id, "C12"],
          patienceMs,
          factory: async () => {
            const { dialed, accepted, close } = memoryChannels();
            return { dialed: breakIt(dialed), accepted: breakIt(accepted), close };
          },
        }),
      );
      expect(failedIds(report.cases)).toContain(id);
    });
  }
});

describe("the transport suite fails a transport that", () => {
  for (const [what, [id, factory]] of Object.entries({ ...BROKEN_TRANSPORTS, ...BROKEN_PATTERNS })) {
    it(`${what} (${id})`, async () => {
      const report = await runSuite((runner) =>
        transportSuite({ ...runner, name: what, only: [id], patienceMs, factory, wire: memoryWire }),
      );
      expect(failedIds(report.cases)).toEqual([id]);
    });
  }
});

describe("the suite", () => {
  it("passes a healthy transport in the same way", async () => {
    const ids = [...new Set(Object.values({ ...BROKEN_TRANSPORTS, ...BROKEN_PATTERNS }).map(([id]) => id))];
    const report = await runSuite((runner) =>
      transportSuite({ ...runner, name: "healthy", only: ids, factory: memoryPair, wire: memoryWire }),
    );
    expect(failedIds(report.cases)).toEqual([]);
    expect(new Set(report.cases.map((each) => each.id))).toEqual(new Set(ids));
  });

  it("reports one line, and the same as JSON", async () => {
    const report = await runSuite((runner) =>
      transportSuite({ ...runner, name: "memory", only: ["C19", "C65", "C47"], factory: memoryPair }),
    );
    expect(reportLine(report)).toMatch(
      /^memory \(transport\): 2 passed, 1 not applicable \(cancel is not of degree "local"\), 0 failed$/,
    );
    const json: unknown = JSON.parse(reportJson(report));
    expect(json).toMatchObject({ name: "memory", level: "transport", capabilities: { duplex: "native" } });
  });

  it("takes a gap that is one as not applicable, with its sentence", async () => {
    const sentence = "streams do not travel here; use calls";
    const report = await runSuite((runner) =>
      transportSuite({
        ...runner,
        name: "no streams",
        only: ["C71", "C142"],
        factory: async (options) => {
          const pair = await memoryPair(options);
          const { transport } = pair;
          return {
            transport: {
              endpoint: transport.endpoint,
              capabilities: { ...transport.capabilities, serverStream: { unsupported: sentence } },
              call: (input, context) => transport.call(input, context),
              stream: () => {
                throw new Error("there are no streams");
              },
              ready: () => transport.ready(),
              close: (closeOptions) => transport.close(closeOptions),
              [Symbol.asyncDispose]: () => transport.close(),
            },
            close: pair.close,
          };
        },
      }),
    );
    expect(failedIds(report.cases)).toEqual([]);
    expect(report.cases.find((each) => each.id === "C71")).toMatchObject({
      outcome: "notApplicable",
      sentence: `serverStream: ${sentence}`,
    });
  });

  it("expects a known failure to fail, and is red on the day it passes", async () => {
    const [id, factory] = BROKEN_TRANSPORTS["swallows errors"] ?? ["", memoryPair];
    const run = (make: typeof factory): Promise<Awaited<ReturnType<typeof runSuite>>> =>
      runSuite((runner) =>
        transportSuite({
          ...runner,
          name: "known",
          only: ["C28"],
          patienceMs,
          factory: make,
          knownFailures: { C28: "#12" },
        }),
      );
    expect(id).toBe("C27");
    expect((await run(factory)).cases).toMatchObject([{ outcome: "knownFailure", sentence: "#12" }]);
    expect((await run(memoryPair)).cases).toMatchObject([{ outcome: "failed" }]);
  });
});

function failedIds(cases: readonly CaseReport[]): string[] {
  return [...new Set(cases.filter((each) => each.outcome === "failed").map((each) => each.id))];
}
