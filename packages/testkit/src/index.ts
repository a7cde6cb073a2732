/**
 * The conformance suites that every channel and every transport runs, and what they are made of: a clock that stands still,
 * wires that misbehave on purpose, a peer that speaks raw envelopes.
 */
export { type ExpectedError, ExpectationFailed } from "./assert.ts";
export { capabilityMatrix, type MatrixColumn, requirementTable, withGenerated } from "./capability-matrix.ts";
export type {
  BytePipe,
  ChannelAddresses,
  ChannelListener,
  ChannelPair,
  ChannelPairOptions,
  ChannelSuiteOptions,
  FramedEnd,
  FramedOptions,
  Framing,
} from "./channel-bench.ts";
export { channelSuite } from "./channel-suite.ts";
export {
  type ChannelFault,
  type ChannelPlan,
  type ChaosChannels,
  type ChaosChannelsOptions,
  createChaosChannels,
} from "./chaos/channels.ts";
export {
  type DeliveryPromise,
  exactlyOnce,
  type ExactlyOnceOptions,
  exactlyOnceReport,
  type ExactlyOnceReport,
  type ScenarioPair,
  type ScenarioParts,
  sessionPair,
} from "./chaos/exactly-once.ts";
export type { FateKind, FatePlan } from "./chaos/fate.ts";
export type { Span } from "./chaos/random.ts";
export { createFakeClock, type FakeClock } from "./fake-clock.ts";
export {
  alwaysFull,
  blackHole,
  type ChannelOverrides,
  coalesce,
  cutAfter,
  delay,
  destroyChannel,
  dropAfter,
  type Fault,
  garbage,
  halfClose,
  reorderReady,
  repeat,
  split,
  swap,
  wrapChannel,
} from "./faults.ts";
export type { FarOptions, FarProcess, ProcessSuiteOptions } from "./process-bench.ts";
export { processSuite } from "./process-suite.ts";
export { createRawPeer, type RawPeer } from "./raw-peer.ts";
export { createRemoteHandler } from "./remote.ts";
export { type CaseReport, reportJson, reportLine, type SuiteReport } from "./report.ts";
export { type Need, type Requirement, type RequirementLevel, requirementOf, requirements } from "./requirements.ts";
export { runSuite, type SuiteOptions, type TestRunner } from "./suite.ts";
export {
  CANCEL_REASON,
  KIND_OF_CALL,
  REFUSAL_WHILE_DRAINING,
  STREAM_CREDITS,
  type TransportPair,
  type TransportPairOptions,
  type TransportSuiteOptions,
  type Wire,
} from "./transport-bench.ts";
export { transportSuite } from "./transport-suite.ts";
