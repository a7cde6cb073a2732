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
