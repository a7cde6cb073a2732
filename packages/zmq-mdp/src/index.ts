export { createMdpTransport, type MdpTransport } from "./client/create-mdp-transport.ts";
export type { MdpClientDialect, MdpClientOptions, MdpCorrelation, MdpTransportOptions } from "./client/options.ts";
export type { MdpClientCounters } from "./client/requester.ts";
export { type AtBroker, type DropReason, parseAtBroker } from "./frames/at-broker.ts";
export { type AtClient, type AtWorker, parseAtClient, parseAtWorker } from "./frames/at-peers.ts";
export { parseDomogikJson, writeDomogikJson } from "./frames/domogik-json.ts";
export { type TimeoutFrameRule, timeoutFrameOf } from "./frames/timeout-frame.ts";
export type { Frames, MdpVersion } from "./frames/words.ts";
export {
  type RequestFrames,
  writeDisconnect,
  writeHeartbeat,
  writeReady,
  writeReply,
  writeRequest,
  writeWorkerReply,
  writeWorkerRequest,
} from "./frames/write.ts";
export type { MdpCredentials } from "./link/credentials.ts";
export type { MdpListenerOptions, MdpWorkerOptions } from "./worker/options.ts";
export { serveMdp } from "./worker/serve-mdp.ts";
