/** Our broker with all that it watches over, between the client and the worker that the bare one has. */
import { runMdpBroker } from "@rpc/zmq-mdp";
import type { Entrant } from "../harness/entrant.ts";
import { connectClient, startWorkers } from "../wire/mdp-peers.ts";

export const entrant: Entrant = {
  opaque: true,
  serve: async () => {
    const broker = await runMdpBroker({ endpoint: "tcp://127.0.0.1:*", dialect: "rfc7" });
    const workers = await startWorkers(broker.endpoint);
    return {
      endpoint: broker.endpoint,
      close: async () => {
        workers.kill();
        await broker.close();
      },
    };
  },
  connect: connectClient,
};
