/** grpc-js: a channel until it is ready, without TLS and without any proof; nearest to `rpc-tcp-open`. */
import {
  credentials,
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServiceClientConstructor,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { fileURLToPath } from "node:url";
import type { HandshakeEntrant } from "../harness/entrant.ts";

const definition = loadSync(fileURLToPath(new URL("../echo.proto", import.meta.url)));
const { bench } = loadPackageDefinition(definition) as unknown as { bench: { EchoService: ServiceClientConstructor } };

export const handshake: HandshakeEntrant = {
  serveHandshakes: async () => {
    const server = new Server();
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, boundPort) =>
        error === null ? resolve(boundPort) : reject(error),
      );
    });
    return { endpoint: `127.0.0.1:${port}`, close: async () => server.forceShutdown() };
  },
  connectOnce: async (endpoint) => {
    // Without a pool of its own a channel would take over the connection of the one before it.
    const client = new bench.EchoService(endpoint, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
    });
    await new Promise<void>((resolve, reject) =>
      client.waitForReady(Date.now() + 20_000, (error) => (error === undefined ? resolve() : reject(error))),
    );
    client.close();
  },
};
