export { serveTcp } from "./listener.ts";
export { createTcpTransport } from "./transport.ts";
export type { TcpChannelOptions, TcpListenerOptions, TcpTransportOptions } from "./options.ts";
