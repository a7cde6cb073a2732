import { REFUSAL_WHILE_DRAINING, type TransportPair, type TransportPairOptions, transportSuite } from "@rpc/testkit";
import { describe, it } from "vitest";
import { serveDbQueue } from "../src/agent/serve-db-queue.ts";
import { createDbQueue, createDbQueueTransport } from "../src/issuer/create-db-queue.ts";
import { openSqliteRig } from "./sqlite-rig.ts";

const ADDRESS = "test:1";

async function connect({
  handler,
  clock,
  limits,
  callerLimits,
  exposeStacks,
  onError,
}: TransportPairOptions): Promise<TransportPair> {
  const rig = await openSqliteRig({}, { clock, synchronous: "normal" });
  const queue = createDbQueue(rig.store, {
    clock,
    name: "issuer",
    maxArgumentBytes: limits?.maxMessageBytes,
    maxResultBytes: callerLimits?.maxMessageBytes,
  });
  await queue.ensureAddress(ADDRESS);
  const listener = await serveDbQueue(handler, {
    queue,
    address: ADDRESS,
    clock,
    name: "agent",
    concurrency: 2000,
    ...(exposeStacks !== undefined && { exposeStacks }),
    ...(onError !== undefined && { onError }),
  });
  const transport = createDbQueueTransport(queue, ADDRESS);
  return {
    transport,
    listener,
    another: () => createDbQueueTransport(queue, ADDRESS),
    close: async () => {
      await transport.close();
      await queue.close();
      await listener.close();
      await rig.close();
    },
  };
}

transportSuite({
  describe,
  it,
  name: "db-queue over SQLite",
  factory: connect,
  losses: {
    [REFUSAL_WHILE_DRAINING]: "a call waits in the table for the next agent; failFast refuses it when none is known",
  },
});
