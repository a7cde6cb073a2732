export { serveWs } from "./node/listener.ts";
export { createWsTransport } from "./node/transport.ts";
export type { WsChannelOptions, WsListenerOptions, WsTransportOptions } from "./node/options.ts";
export type { WsCallerOptions } from "./options.ts";
