import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAtBroker } from "../src/frames/at-broker.ts";
import { parseAtClient, parseAtWorker } from "../src/frames/at-peers.ts";
import { parseDomogikJson, writeDomogikJson } from "../src/frames/domogik-json.ts";
import { serviceNameOf } from "../src/frames/names.ts";
import { type TimeoutFrameRule, timeoutFrameOf } from "../src/frames/timeout-frame.ts";
import {
  writeDisconnect,
  writeHeartbeat,
  writeReady,
  writeReply,
  writeRequest,
  writeWorkerReply,
  writeWorkerRequest,
} from "../src/frames/write.ts";
import { bytesOf, hexOf, textsOf, type Vector, VECTORS } from "./golden.ts";

const utf8 = (text: string): Buffer => Buffer.from(text);
const COMMANDS: Readonly<Record<string, string>> = { final: "REPLY", partial: "PARTIAL" };

function atBroker(vector: Vector): Vector["means"] {
  const frames = bytesOf(vector.frames);
  const seen = parseAtBroker(frames, 0);
  if (seen.kind === "drop") return { drop: seen.reason };
  if (seen.kind === "client") {
    const service = serviceNameOf(frames[seen.serviceAt] ?? utf8("")) ?? "";
    const internal = service.startsWith("mmi.") || service.startsWith("titanic.");
    const rule: TimeoutFrameRule = vector.dialect === "mdp02" ? "never" : "auto";
    const patience = timeoutFrameOf(frames, seen.bodyAt, rule, internal);
    const envelope = frames.slice(seen.envelopeAt, seen.envelopeAt + seen.envelopeCount);
    return {
      command: "REQUEST",
      ...(envelope.length > 0 && { envelope: hexOf(envelope) }),
      service,
      ...(patience !== undefined && { timeout: patience === 0 ? null : patience / 1000 }),
      body: textsOf(frames.slice(seen.bodyAt + (patience === undefined ? 0 : 1))),
    };
  }
  if (seen.command === "ready") {
    return { command: "READY", service: serviceNameOf(frames[seen.serviceAt] ?? utf8("")) ?? "" };
  }
  if (seen.command !== "final" && seen.command !== "partial") return { command: seen.command.toUpperCase() };
  return {
    command: seen.version === "0.2" ? seen.command.toUpperCase() : (COMMANDS[seen.command] ?? ""),
    address: hexOf(frames.slice(seen.addressAt, seen.addressAt + seen.addressCount)),
    body: textsOf(frames.slice(seen.bodyAt)),
  };
}

function atPeer(vector: Vector): Vector["means"] {
  const frames = bytesOf(vector.frames);
  if (vector.to === "worker") {
    const seen = parseAtWorker(frames);
    if (seen.kind !== "request") return { command: seen.kind.toUpperCase() };
    return { command: "REQUEST", address: hexOf(seen.address), body: textsOf(seen.body) };
  }
  const seen = parseAtClient(frames);
  if (seen.kind === "drop") return { drop: "malformed" };
  return {
    command: seen.version === "0.2" ? seen.kind.toUpperCase() : "REPLY",
    ...(seen.envelope.length > 0 && { envelope: hexOf(seen.envelope) }),
    service: seen.service,
    body: textsOf(seen.body),
  };
}

function written(vector: Vector): Uint8Array[] {
  const { means } = vector;
  const version = vector.dialect === "mdp02" ? "0.2" : "0.1";
  const service = utf8(means.service ?? "");
  const body = (means.body ?? []).map(utf8);
  const address = bytesOf(means.address ?? []);
  switch (`${vector.from} ${means.command}`) {
    case "client REQUEST":
      return writeRequest({
        service,
        body,
        version,
        envelope: bytesOf(means.envelope ?? []),
        ...(typeof means.timeout === "number" && { timeoutMs: means.timeout * 1000 }),
      });
    case "broker REQUEST":
      return writeWorkerRequest(version, address, body);
    case "broker REPLY":
    case "broker FINAL":
      return writeReply(version, "final", bytesOf(means.envelope ?? []), service, body);
    case "broker PARTIAL":
      return writeReply(version, "partial", [], service, body);
    case "worker READY":
      return writeReady(version, service);
    case "worker REPLY":
    case "worker FINAL":
      return writeWorkerReply(version, "final", address, body);
    case "worker HEARTBEAT":
    case "broker HEARTBEAT":
      return writeHeartbeat(version);
    default:
      return writeDisconnect(version);
  }
}

/** What the original says and we never do. */
const NEVER_WRITTEN: readonly string[] = [
  "broker-disconnect-domogik",
  "request-timeout-none",
  "request-timeout-none-forwarded",
];
const MESSAGES = VECTORS.filter(({ from }) => from !== "publisher");

describe("golden messages", () => {
  it.each(MESSAGES.filter(({ to }) => to === "broker"))("$id is read at the broker", (vector) => {
    const { drop, command, service, timeout, address, envelope, body } = vector.means;
    const means = { drop, command, service, timeout, address, envelope, body };
    expect(atBroker(vector)).toEqual(JSON.parse(JSON.stringify(means)));
  });

  it.each(MESSAGES.filter(({ to }) => to !== "broker"))("$id is read at the $to", (vector) => {
    expect(atPeer(vector)).toEqual(vector.means);
  });

  it.each(MESSAGES.filter(({ id, valid }) => valid !== false && !NEVER_WRITTEN.includes(id)))(
    "$id is written byte for byte",
    (vector) => {
      expect(hexOf(written(vector))).toEqual(vector.frames);
    },
  );
});

describe("hostile frames", () => {
  const interesting = ["MDPC01", "MDPW01", "MDPC02", "MDPW02", "MDPX01", "mdpc01", "s", "mmi.service", "None", "10"];
  const frame = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...interesting).map(utf8) },
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 9 }).map((byte) => Buffer.of(byte)) },
    { weight: 2, arbitrary: fc.constant(Buffer.alloc(0)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
  );

  it("never throw, and positions never lie outside of the message", () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 16 }), (frames) => {
        parseAtWorker(frames);
        parseAtClient(frames);
        const seen = parseAtBroker(frames, 0);
        let inside = true;
        if (seen.kind === "client") {
          inside = seen.bodyAt < frames.length && frames[seen.serviceAt]?.length !== 0;
          timeoutFrameOf(frames, seen.bodyAt, "auto", false);
          timeoutFrameOf(frames, seen.bodyAt, "always", true);
        }
        if (seen.kind === "worker" && (seen.command === "final" || seen.command === "partial")) {
          inside = seen.addressCount > 0 && frames[seen.bodyAt - 1]?.length === 0;
        }
        expect(inside).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it("come back out of every message as they were put in", () => {
    const name = fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) => Buffer.from(bytes));
    const body = fc.array(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      { minLength: 1, maxLength: 6 },
    );
    fc.assert(
      fc.property(
        fc.constantFrom("0.1" as const, "0.2" as const),
        fc.array(name, { minLength: 1, maxLength: 8 }),
        body,
        (version, address, body) => {
          const request = parseAtWorker(writeWorkerRequest(version, address, body));
          expect(request).toEqual({ kind: "request", version, address, body });
          const frames = writeWorkerReply(version, "final", address, body);
          const reply = parseAtBroker(frames, 0);
          if (reply.kind !== "worker" || reply.command !== "final") throw new Error("A reply is no reply.");
          expect(frames.slice(reply.addressAt, reply.addressAt + reply.addressCount)).toEqual(address);
          expect(frames.slice(reply.bodyAt)).toEqual(body);
        },
      ),
    );
  });

  it.each([
    ["no frames at all", []],
    ["one empty frame", [""]],
    ["no empty frame", ["a", "b", "c"]],
    ["nine address frames", ["1", "2", "3", "4", "5", "6", "7", "8", "9", "", "MDPC01", "s", "b"]],
    ["an address frame of 256 bytes", ["a".repeat(256), "", "MDPC01", "s", "b"]],
    ["a service of 64 KiB", ["", "MDPC01", "s".repeat(65_536), "b"]],
    ["an empty service", ["", "MDPC01", "", "b"]],
    ["READY without a service", ["", "MDPW01", "\u0001"]],
    ["a reply without the empty frame", ["", "MDPW01", "\u0003", "a", "b"]],
    ["a reply to nobody", ["", "MDPW01", "\u0003", "", "b"]],
    ["a 0.2 request of an unknown command", ["MDPC02", "\u0007", "s", "b"]],
  ])("%s are malformed", (_what, frames) => {
    expect(parseAtBroker(frames.map(utf8), 0)).toMatchObject({ kind: "drop", reason: "malformed" });
  });

  it.each(["MDPX01", "mdpc01", "MDPC03", "MDPW02", "MDPC02", "MDPC011"])(
    "%s behind an empty frame is no header",
    (header) => {
      expect(parseAtBroker(["", header, "\u0001", "s"].map(utf8), 0)).toMatchObject({ kind: "drop", reason: "header" });
    },
  );

  it("of which ten thousand are empty are no message", () => {
    expect(
      parseAtBroker(
        Array.from({ length: 10_000 }, () => utf8("")),
        0,
      ).kind,
    ).toBe("drop");
  });

  it("keep eight address frames, and end them at the first empty one", () => {
    const frames = ["1", "2", "3", "4", "5", "6", "7", "8", "", "MDPC01", "s", "", "b"].map(utf8);
    expect(parseAtBroker(frames, 0)).toMatchObject({ kind: "client", envelopeCount: 8, serviceAt: 10, bodyAt: 11 });
  });
});

describe("names of services", () => {
  it.each(["dbmgr", "plugin-diskfree.darkstar", "température", "a b", "s".repeat(255)])("%s is one", (name) => {
    expect(serviceNameOf(utf8(name))).toBe(name);
  });

  it.each(["", "s".repeat(256), "a\u0000b", "a\nb", "\u2028"])("%j is none", (name) => {
    expect(serviceNameOf(utf8(name))).toBeUndefined();
  });

  it("are UTF-8", () => {
    expect(serviceNameOf(Buffer.of(0xff, 0xfe))).toBeUndefined();
  });
});

describe("the time-out frame", () => {
  const of = (first: string, rest: readonly string[], rule: TimeoutFrameRule = "auto", internal = false) =>
    timeoutFrameOf([first, ...rest].map(utf8), 0, rule, internal);
  const ACTION = ["a.do", "{}"];

  it.each([
    ["10", 10_000],
    ["0.5", 500],
    ["1e-05", 0.01],
    ["1e3", 1_000_000],
    ["5.", 5_000],
    ["None", 0],
    ["0", 0],
    ["-1", 0],
  ])("%s before an action is taken off: %d ms", (text, ms) => {
    expect(of(text, ACTION)).toBeCloseTo(ms);
  });

  it.each(["nan", "inf", "", "none", "Nones", "1e999", "0x10", "1_0", "٣", "1".repeat(33), " 1"])(
    "%j is part of the body",
    (text) => {
      expect(of(text, ACTION)).toBeUndefined();
    },
  );

  it("leaves a lone number, and a number before anything but an action with an object", () => {
    expect(of("10", [])).toBeUndefined();
    expect(of("10", ["20"])).toBeUndefined();
    expect(of("10", ["20", "30"])).toBeUndefined();
  });

  it("is taken off before any body of mmi.* and titanic.*, of a service that says always, and of none that says never", () => {
    expect(of("10", [""], "auto", true)).toBe(10_000);
    expect(of("10", ["x"], "always")).toBe(10_000);
    expect(of("10", [], "always")).toBeUndefined();
    expect(of("10", ACTION, "never")).toBeUndefined();
  });
});

describe("JSON as Python writes it", () => {
  it("has three more numbers, and only outside of strings", () => {
    expect(parseDomogikJson('{"a": NaN, "b": [Infinity, -Infinity], "c": "NaN \\" -Infinity", "d": -1e9999}')).toEqual({
      a: Number.NaN,
      b: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
      c: 'NaN " -Infinity',
      d: Number.NEGATIVE_INFINITY,
    });
    expect(Object.keys(parseDomogikJson('{"NaN": Infinity}') as object)).toEqual(["NaN"]);
  });

  it.each(["", "{", "NaN NaN", "nan", '{"a": NaN', '"Infinity', '"NaN\\'])("%j is none", (text) => {
    expect(() => parseDomogikJson(text)).toThrow(SyntaxError);
  });

  it("is written without them, and without blanks", () => {
    expect(writeDomogikJson({ a: Number.NaN, b: "é", c: [1, 2] })).toBe('{"a":null,"b":"é","c":[1,2]}');
    expect(writeDomogikJson(undefined)).toBe("null");
  });

  it("takes the time of its length, whatever it is made of", () => {
    expect(() => parseDomogikJson(`NaN${'"\\"'.repeat(200_000)}`)).toThrow(SyntaxError);
    expect(() => parseDomogikJson(`NaN"${"\\".repeat(400_001)}`)).toThrow(SyntaxError);
  });
});
