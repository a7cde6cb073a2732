/** The door for tests that run in Node: faults on real connections. */
export { type ChaosProxy, type ChaosProxyOptions, createChaosProxy, type ProxyTarget } from "./chaos/proxy.ts";
export type { ProxySide } from "./chaos/proxied-connection.ts";
export type { ChaosFault, ChaosPlan, ChaosRun, FaultCounts } from "./chaos/proxy-driver.ts";
