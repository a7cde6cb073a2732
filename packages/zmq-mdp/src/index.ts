export {
  createMdpClient,
  type MdpClient,
  type MdpMessageClientOptions,
  type MdpRequestOptions,
} from "./classic/create-mdp-client.ts";
export { MdpAsyncClient, type MdpAsyncClientEvents } from "./classic/mdp-async-client.ts";
export { MdpWorker, type MqRequest } from "./classic/mdp-worker.ts";
export { type MqData, MqMessage } from "./classic/mq-message.ts";
export type { MdpAuth } from "./broker/auth.ts";
export type { MdpDoor } from "./broker/doors.ts";
export type { MdpBrokerEvents, MdpCounters, MdpErrorCode, MdpWorkerGone } from "./broker/events.ts";
export { type MdpBroker, type MdpBrokerOptions, type MdpBrokerStats, runMdpBroker } from "./broker/run-broker.ts";
export type {
  MdpBrokerSettings,
  MdpDialect,
  MdpRequestInfo,
  MdpRule,
  MdpServiceOptions,
  MdpWorkerInfo,
} from "./broker/settings.ts";
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
export { type EventId, parseEventId, writeEventId } from "./pubsub/event-id.ts";
export { publishEvents } from "./pubsub/publish-events.ts";
export { createMdpPublisher, type MdpPublisher, type MdpPublisherOptions } from "./pubsub/publisher.ts";
export {
  type MdpForwarder,
  type MdpForwarderCounters,
  type MdpForwarderOptions,
  runForwarder,
} from "./pubsub/run-forwarder.ts";
export {
  createMdpSubscriber,
  type MdpEvent,
  type MdpSubscriber,
  type MdpSubscriberOptions,
} from "./pubsub/subscriber.ts";
export type { MdpListenerOptions, MdpWorkerOptions } from "./worker/options.ts";
export { serveMdp } from "./worker/serve-mdp.ts";
export { createTitanicClient, type TitanicClient } from "./titanic/create-titanic-client.ts";
export { createTitanicFileStore } from "./titanic/file-store.ts";
export {
  createTitanicQueueStore,
  type TitanicQueue,
  type TitanicQueueRow,
  type TitanicQueueStoreOptions,
} from "./titanic/queue-store.ts";
export { serveTitanic, type Titanic, type TitanicOptions } from "./titanic/serve-titanic.ts";
export type { TitanicRequest, TitanicState, TitanicStore } from "./titanic/titanic-store.ts";
