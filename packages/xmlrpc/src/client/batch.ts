import type { Transport } from "@rpc/core";
import { callerOf, type XmlRpcTransport } from "./transport.ts";

/**
 * Makes calls together where the transport can: those that `build` makes on the transport it is given, before it returns. Each settles by
 * itself; a failing one fails alone. Over a transport of another package, or a composition, the calls simply follow each other.
 *
 *     const [ada, bob] = batch(transport, (b) => [createClient(Greeter, b).hello({ name: "Ada" }), …]);
 */
export function batch<T>(transport: Transport, build: (transport: Transport) => T): T {
  return isOurs(transport) ? transport.batch(build) : build(transport);
}

function isOurs(transport: Transport): transport is XmlRpcTransport {
  return callerOf(transport) !== undefined;
}
