import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  createClient,
  createRouter,
  defineContract,
  type HandlerContext,
  parseTraceparent,
  traceContext,
  unary,
} from "../../src/index.ts";
import { formatTraceparent, isTracestate } from "../../src/face/observe/trace-parent.ts";
import { memory } from "../rig.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const VALID = `00-${TRACE}-${SPAN}-01`;

describe("traceparent", () => {
  it("is read", () => {
    expect(parseTraceparent(VALID)).toEqual({ traceId: TRACE, spanId: SPAN, sampled: true });
    expect(parseTraceparent(`00-${TRACE}-${SPAN}-fe`)?.sampled).toBe(false);
  });

  it.each([
    ["nothing", ""],
    ["version ff", `ff-${TRACE}-${SPAN}-01`],
    ["a trace id of zeros", `00-${"0".repeat(32)}-${SPAN}-01`],
    ["a span id of zeros", `00-${TRACE}-${"0".repeat(16)}-01`],
    ["upper case", VALID.toUpperCase()],
    ["a trace id that is short", `00-${TRACE.slice(1)}-${SPAN}-01`],
    ["a span id that is long", `00-${TRACE}-${SPAN}0-01`],
    ["no flags", `00-${TRACE}-${SPAN}`],
    ["flags of one digit", `00-${TRACE}-${SPAN}-1`],
    ["more than version 00 has", `${VALID}-extra`],
    ["a version of one digit", VALID.slice(1)],
    ["two of them", `${VALID}, ${VALID}`],
    ["blanks around it", ` ${VALID}`],
    ["a line feed behind it", `${VALID}\n`],
    ["underscores", VALID.replaceAll("-", "_")],
    ["a later version that goes on without a dash", `01-${TRACE}-${SPAN}-01x`],
  ])("with %s is malformed", (_what, text) => {
    expect(parseTraceparent(text)).toBeUndefined();
  });

  it("of a later version is read as far as it is known", () => {
    expect(parseTraceparent(`cc-${TRACE}-${SPAN}-01-what-the-future-brings`)?.traceId).toBe(TRACE);
    expect(parseTraceparent(`cc-${TRACE}-${SPAN}-01`)?.spanId).toBe(SPAN);
  });

  it("is written as it is read", () => {
    const hex = (length: number) =>
      fc
        .array(fc.integer({ min: 0, max: 15 }), { minLength: length, maxLength: length })
        .map((digits) => digits.map((digit) => digit.toString(16)).join(""))
        .filter((text) => /[^0]/.test(text));
    const parent = fc.record({ traceId: hex(32), spanId: hex(16), sampled: fc.boolean() });
    fc.assert(
      fc.property(parent, (one) => {
        expect(parseTraceparent(formatTraceparent(one))).toEqual(one);
      }),
    );
  });
});

it.each([
  ["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", true],
  ["a=1 , ,b=2", true],
  ["fw529a3039@dt=FfgEAg2", true],
  ["0tenant@vendor=x y", true],
  ["", true],
  ["noequals", false],
  ["a=", false],
  ["A=1", false],
  ["0a=1", false],
  ["a=b=c", false],
  ["a=ends with a blank \u0000", false],
  ["a@0b=1", false],
  [`${"a".repeat(257)}=1`, false],
  [`a=${"1".repeat(257)}`, false],
  [Array.from({ length: 32 }, (_, i) => `k${i}=1`).join(","), true],
  [Array.from({ length: 33 }, (_, i) => `k${i}=1`).join(","), false],
])("tracestate %j may be passed on: %s", (text, expected) => {
  expect(isTracestate(text)).toBe(expected);
});

describe("traceContext", () => {
  const Echo = defineContract("demo.Echo", {
    seen: unary({ output: z.array(z.union([z.string(), z.undefined()])) }),
    ask: unary(),
  });

  /** A server that tells what it got, and one before it whose handler asks it. */
  function chain(ends: { readonly client?: boolean; readonly server?: boolean }) {
    const interceptors = { interceptors: [traceContext()] };
    const last = memory(
      createRouter(
        Echo,
        {
          seen: (_input, { metadata }) => [metadata.get("traceparent") ?? "", metadata.get("tracestate") ?? ""],
          ask: () => undefined,
        },
        ends.server === true ? interceptors : {},
      ),
    );
    const inner = createClient(Echo, last, ends.client === true ? interceptors : {});
    const contexts: HandlerContext[] = [];
    const first = memory(
      createRouter(
        Echo,
        {
          seen: () => [],
          ask: (_input, context) => {
            contexts.push(context);
            return inner.seen(undefined, context);
          },
        },
        ends.server === true ? interceptors : {},
      ),
    );
    const outer = createClient(Echo, first, ends.client === true ? interceptors : {});
    const ask = async (metadata?: Record<string, string>) =>
      (await outer.ask(undefined, { metadata })) as readonly [string, string];
    return { ask, contexts, outer, inner };
  }

  it("C52 gives each call a span of its own in one trace", async () => {
    const { ask, contexts } = chain({ client: true, server: true });
    const [inner] = await ask();
    const outer = parseTraceparent(contexts[0]?.metadata.get("traceparent"));
    const nested = parseTraceparent(inner);
    expect(nested?.traceId).toBe(outer?.traceId);
    expect(nested?.spanId).not.toBe(outer?.spanId);
    expect(nested?.sampled).toBe(true);
  });

  it("C52 goes on with a trace that the user began, its state along with it", async () => {
    const { ask } = chain({ client: true, server: true });
    const [traceparent, tracestate] = await ask({ traceparent: VALID, tracestate: "a=1" });
    expect(parseTraceparent(traceparent)?.traceId).toBe(TRACE);
    expect(parseTraceparent(traceparent)?.spanId).not.toBe(SPAN);
    expect(tracestate).toBe("a=1");
  });

  it("begins a trace at a server that was sent none, and nested calls are in it", async () => {
    const { ask, contexts } = chain({ server: true });
    const [inner] = await ask();
    const begun = contexts[0]?.metadata.get("traceparent");
    expect(parseTraceparent(begun)).toBeDefined();
    expect(parseTraceparent(inner)?.traceId).toBe(parseTraceparent(begun)?.traceId);
  });

  it.each([["client" as const], ["server" as const]])("drops what is malformed at a %s", async (side) => {
    const { ask } = chain({ [side]: true });
    const [traceparent, tracestate] = await ask({ traceparent: `${VALID}-no`, tracestate: "a=1" });
    expect(parseTraceparent(traceparent)).toBeDefined();
    expect(parseTraceparent(traceparent)?.traceId).not.toBe(TRACE);
    expect(tracestate).toBe("");
  });

  it("drops a malformed state alone", async () => {
    const { ask } = chain({ client: true });
    const [traceparent, tracestate] = await ask({ traceparent: VALID, tracestate: "no state" });
    expect(parseTraceparent(traceparent)?.traceId).toBe(TRACE);
    expect(tracestate).toBe("");
  });

  it("leaves it to an option whether a trace that begins here is recorded", async () => {
    const router = createRouter(Echo, {
      seen: (_input, { metadata }) => [metadata.get("traceparent")],
      ask: () => undefined,
    });
    const client = createClient(Echo, memory(router), { interceptors: [traceContext({ sampled: false })] });
    expect((await client.seen())[0]).toMatch(/-00$/);
  });
});
