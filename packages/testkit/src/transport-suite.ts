import { gapOf, type Handler, type Transport } from "@rpc/core/transport";
import { createRouter, defineContract, unary } from "@rpc/core";
import { check, equal, fail } from "./assert.ts";
import { allTransportCases } from "./all-cases.ts";
import { DEGREES, EVERYTHING } from "./cases/capabilities.ts";
import { createFakeClock } from "./fake-clock.ts";
import { noTimersLeft } from "./gate.ts";
import { createReport, type SuiteReport } from "./report.ts";
import { type Need, requirementOf } from "./requirements.ts";
import { type NotApplicable, registerCases, withPatience } from "./suite.ts";
import type { TransportBench, TransportCase, TransportPair, TransportSuiteOptions } from "./transport-bench.ts";

/** How long a case may show no result on a transport that declares it a gap, in milliseconds of the wall clock. */
const GAP_PATIENCE_MS = 250;

/** Order that is kept by luck proves nothing: these gaps are believed. */
const NOT_PROBED: ReadonlySet<string> = new Set(["ordering", "heartbeat"]);

const NO_WIRE = "a native transport without channels: there is no wire to speak raw envelopes on";

/**
 * Holds a transport to every requirement. Registers one test per case with the runner. Where the transport declares a gap the
 * case must fail on it: a gap that works after all is red, so that declarations do not rot.
 */
export function transportSuite(options: TransportSuiteOptions): void {
  const report = createReport(options.name, "transport");
  registerCases(options, report, allTransportCases, (each) => perform(each, options, report));
}

async function perform(
  each: TransportCase,
  options: TransportSuiteOptions,
  report: SuiteReport,
): Promise<NotApplicable> {
  const capabilities = (report.capabilities ??= await capabilitiesOf(options));
  if (each.onWire && options.wire === undefined) return { notApplicable: NO_WIRE };
  const missing = requirementOf(each.id).needs.find((need) => !isDeclared(need, capabilities));
  if (missing === undefined) {
    await runCase(each, options, (pair) => pair, capabilities);
    return undefined;
  }
  const gap = gapOf(capabilities[missing.capability]);
  // Such a case brings its own sessions: what it finds says nothing about what the transport declares.
  if (each.onWire) return { notApplicable: `${missing.capability}: ${gap ?? `not of degree "${missing.degree}"`}` };
  if (gap === undefined) {
    if (isBetter(missing, capabilities)) await mustFail(each, options, missing);
    return { notApplicable: `${missing.capability} is not of degree "${missing.degree}"` };
  }
  check(gap.trim() !== "", `the gap ${missing.capability} has no sentence`);
  if (!NOT_PROBED.has(missing.capability)) await mustFail(each, options, missing);
  return { notApplicable: `${missing.capability}: ${gap}` };
}

/** Whether the degree that is missing is more than the one declared: then it must not work either. */
function isBetter({ capability, degree = "" }: Need, capabilities: TransportBench["capabilities"]): boolean {
  const degrees = DEGREES[capability];
  const declared = capabilities[capability];
  return typeof declared === "string" && degrees.indexOf(degree) < degrees.indexOf(declared);
}

function isDeclared({ capability, degree }: Need, capabilities: TransportBench["capabilities"]): boolean {
  const support = capabilities[capability];
  return typeof support === "string" && (degree === undefined || support === degree);
}

async function capabilitiesOf(options: TransportSuiteOptions): Promise<TransportBench["capabilities"]> {
  const pair = await options.factory({ handler: NOTHING, clock: createFakeClock() });
  try {
    return pair.transport.capabilities;
  } finally {
    await pair.close();
  }
}

const Nothing = defineContract("testkit.Nothing", { run: unary() });
const NOTHING: Handler = createRouter(Nothing, { run: () => undefined });

/** Runs a case, frees what it used, and proves that nothing of it is left. */
async function runCase(
  each: TransportCase,
  options: TransportSuiteOptions,
  dress: (pair: TransportPair) => TransportPair,
  capabilities: TransportBench["capabilities"],
): Promise<void> {
  const clock = createFakeClock();
  const cleanUps: (() => Promise<void> | void)[] = [];
  const prototypeMembers = Object.getOwnPropertyNames(Object.prototype).length;
  const bench: TransportBench = {
    clock,
    capabilities,
    wire: options.wire,
    loses: (what) => Object.hasOwn(options.losses ?? {}, what),
    defer: (cleanUp) => void cleanUps.push(cleanUp),
    connect: async (handler, connectOptions = {}) => {
      const pair = await options.factory({ ...connectOptions, handler, clock });
      cleanUps.push(() => pair.close());
      return dress(pair);
    },
  };
  try {
    await each.run(bench);
  } finally {
    for (const cleanUp of cleanUps.toReversed()) await cleanUp();
  }
  await noTimersLeft(clock, "C141 no-leaks: after the case");
  equal(
    Object.getOwnPropertyNames(Object.prototype).length,
    prototypeMembers,
    "members of Object.prototype after the case",
  );
}

/** Runs the case as if nothing were missing. Whatever goes wrong is what the declaration says; only success is not. */
async function mustFail(each: TransportCase, options: TransportSuiteOptions, missing: Need): Promise<void> {
  let works = false;
  try {
    await withPatience(runCase(each, options, claimingEverything, EVERYTHING), GAP_PATIENCE_MS);
    works = true;
  } catch {
    // As declared.
  }
  if (works)
    fail(
      `declares that ${missing.capability}${missing.degree === undefined ? "" : ` (${missing.degree})`} is missing, and it works: declare it`,
    );
}

function claimingEverything(pair: TransportPair): TransportPair {
  const { transport } = pair;
  const dressed: Transport = {
    endpoint: transport.endpoint,
    capabilities: EVERYTHING,
    call: (input, context) => transport.call(input, context),
    stream: (input, context) => transport.stream(input, context),
    topicPort: transport.topicPort,
    workQueue: transport.workQueue,
    ready: () => transport.ready(),
    close: (options) => transport.close(options),
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  };
  return { ...pair, transport: dressed };
}
