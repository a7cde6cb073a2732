import type { CallerCredentials, ListenerCredentials, Secret } from "@rpc/core/transport";
import type { TransportPair, TransportPairOptions } from "@rpc/testkit";
import {
  createXmlRpcTransport,
  serveXmlRpc,
  type XmlRpcListenerOptions,
  type XmlRpcTransport,
  type XmlRpcTransportOptions,
} from "../src/index.ts";
import { watchSockets } from "../../../tools/vitest/watch-sockets.ts";

/** A transport and a listener of the public doors, with these options on top. */
export function pairOf(
  caller: XmlRpcTransportOptions,
  served: XmlRpcListenerOptions,
): (options: TransportPairOptions) => Promise<TransportPair> {
  return async ({ handler, clock, limits, callerLimits, exposeStacks, onError, credentials }) => {
    const sockets = watchSockets();
    const authenticate = credentials === undefined ? undefined : authenticator(credentials.listener);
    const auth = credentials === undefined ? undefined : authOf(credentials.caller);
    const listen = (endpoint: string): ReturnType<typeof serveXmlRpc> =>
      serveXmlRpc(handler, {
        endpoint,
        clock,
        exposeStacks,
        onError,
        authenticate,
        maxMessageBytes: limits?.maxMessageBytes,
        maxInflatedBytes: limits?.maxMessageBytes,
        maxConcurrentCalls: limits?.maxCallsInFlight,
        ...served,
      });
    let listener = await listen("http://127.0.0.1:0/RPC2");
    const { endpoint } = listener;
    const another = (): XmlRpcTransport =>
      createXmlRpcTransport(endpoint, {
        clock,
        maxReplyBytes: callerLimits?.maxMessageBytes,
        // Each call in flight has a connection of its own.
        maxConnections: limits?.maxCallsInFlight,
        auth,
        ...caller,
      });
    const transport = another();
    return {
      transport,
      listener,
      another,
      cut: () => sockets.cut(),
      restart: async () => {
        await listener.close();
        listener = await listen(endpoint);
      },
      close: async () => {
        await transport.close();
        await listener.close();
        await sockets.gone();
      },
    };
  };
}

/** The suite's secrets as passwords: who shows one is the identity that it belongs to. */
function authenticator({ secret, secrets }: ListenerCredentials): XmlRpcListenerOptions["authenticate"] {
  const known = new Map<string, readonly Secret[]>();
  if (secret !== undefined) known.set("peer", [secret]);
  if (typeof secrets === "object")
    for (const [identity, each] of Object.entries(secrets)) known.set(identity, Array.isArray(each) ? each : [each]);
  return ({ user, secret: shown }) =>
    [...known].find(([identity, each]) => (user === "" || user === identity) && each.includes(shown))?.[0];
}

function authOf({ secret, identity = "" }: CallerCredentials): XmlRpcTransportOptions["auth"] {
  return secret === undefined ? undefined : { user: identity, password: String(secret) };
}
