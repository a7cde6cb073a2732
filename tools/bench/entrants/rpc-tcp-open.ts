/** Ours without a secret: what a connection and its handshake cost before anybody proves anything. */
import { createRouter, defineContract, RpcError, unary } from "@rpc/core";
import { createTcpTransport, serveTcp } from "@rpc/tcp";
import type { HandshakeEntrant } from "../harness/entrant.ts";

const Door = defineContract("bench.Door", { knock: unary() });

/** Both ends with the same options: a shared secret, or none. */
export function rpcTcpDoor(credentials: { readonly secret?: string }): HandshakeEntrant {
  const { secret } = credentials;
  return {
    ...(secret === undefined ? {} : { verify: (endpoint) => mustRefuse(endpoint, `not ${secret}`) }),
    serveHandshakes: async () => {
      const router = createRouter(Door, { knock: () => null });
      const listener = await serveTcp(router, { ...credentials, endpoint: "tcp://127.0.0.1:0" });
      return { endpoint: listener.endpoint, close: () => listener.close() };
    },
    connectOnce: async (endpoint) => {
      const transport = createTcpTransport(endpoint, credentials);
      await transport.ready();
      await transport.close();
    },
  };
}

/** A handshake that takes every secret proves none. */
async function mustRefuse(endpoint: string, secret: string): Promise<void> {
  const transport = createTcpTransport(endpoint, { secret });
  const outcome = await transport.ready().then(
    () => "let in",
    (error: unknown) => RpcError.from(error).code,
  );
  await transport.close();
  if (outcome !== "UNAUTHENTICATED") throw new Error(`who has a wrong secret is ${outcome}, not UNAUTHENTICATED`);
}

export const handshake: HandshakeEntrant = rpcTcpDoor({});
