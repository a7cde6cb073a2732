/** What a broker of Majordomo costs at the least on zeromq.js: its frames, the workers in turn, and nothing else. Nobody is ever missed. */
import { Router } from "zeromq";
import type { Entrant } from "../harness/entrant.ts";
import {
  CLIENT,
  connectClient,
  EMPTY,
  READY,
  REPLY,
  REQUEST,
  startWorkers,
  UNBOUNDED,
  WORKER,
} from "../wire/mdp-peers.ts";
import { SendQueue } from "../wire/send-queue.ts";

export const entrant: Entrant = {
  opaque: true,
  serve: async () => {
    const router = new Router(UNBOUNDED);
    await router.bind("tcp://127.0.0.1:*");
    void broke(router);
    const endpoint = router.lastEndpoint ?? "";
    const workers = await startWorkers(endpoint);
    return {
      endpoint,
      close: async () => {
        workers.kill();
        router.close();
      },
    };
  },
  connect: connectClient,
};

async function broke(router: Router): Promise<void> {
  const outgoing = new SendQueue<Buffer[]>((frames) => router.send(frames));
  const requests: Buffer[][] = [];
  const idle: Buffer[] = [];
  let service: Buffer = EMPTY;
  for await (const frames of router) {
    const [identity = EMPTY] = frames;
    if (frames[2]?.equals(CLIENT) === true) {
      service = frames[3] ?? EMPTY;
      requests.push([identity, EMPTY, ...frames.slice(4)]);
    } else {
      const command = frames[3]?.[0];
      if (command === REPLY[0]) {
        const end = frames.findIndex((frame, i) => i > 4 && frame.length === 0);
        outgoing.push([...frames.slice(4, end), EMPTY, CLIENT, service, ...frames.slice(end + 1)]);
        idle.push(identity);
      } else if (command === READY[0]) idle.push(identity);
    }
    while (requests.length > 0 && idle.length > 0)
      outgoing.push([idle.shift() ?? EMPTY, EMPTY, WORKER, REQUEST, ...(requests.shift() ?? [])]);
  }
}
