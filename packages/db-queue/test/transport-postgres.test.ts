import { REFUSAL_WHILE_DRAINING, type TransportPair, type TransportPairOptions, transportSuite } from "@rpc/testkit";
import { afterAll, describe, it } from "vitest";
import { serveDbQueue } from "../src/agent/serve-db-queue.ts";
import { createDbQueue, createDbQueueTransport } from "../src/issuer/create-db-queue.ts";
import { openPostgresRig, type PostgresRig } from "./postgres-rig.ts";

let opened: Promise<PostgresRig> | undefined;
let count = 0;

/** Proved over SQLite, where both clocks are one. */
const TWO_CLOCKS =
  "the time that a call spends in the database is counted, and the clock of the case stands still meanwhile";

/** All connections are there, and have heard of cancellations: they take a way of their own, which a first time is not to make longer. */
async function openWarm(): Promise<PostgresRig> {
  const rig = await openPostgresRig({}, { maxConnections: 4 });
  const nobodys = { id: 1_000_000_000, token: "00000000-0000-4000-8000-000000000000", leaseMs: 1000 };
  await Promise.all(Array.from({ length: 4 }, () => rig.store.cancel([{ id: nobodys.id }])));
  await rig.store.extend([nobodys]);
  return rig;
}

/** One database for all cases, an address for each. Time of the calls stands still, that of the database does not. */
async function connect(options: TransportPairOptions): Promise<TransportPair> {
  const { handler, clock, limits, callerLimits, exposeStacks, onError } = options;
  const rig = await (opened ??= openWarm());
  const address = `test:${(count += 1)}`;
  const queue = createDbQueue(rig.store, {
    clock,
    name: "issuer",
    reaper: false,
    maxArgumentBytes: limits?.maxMessageBytes,
    maxResultBytes: callerLimits?.maxMessageBytes,
  });
  await queue.ensureAddress(address);
  const listener = await serveDbQueue(handler, {
    queue,
    address,
    clock,
    name: "agent",
    concurrency: 2000,
    reaper: false,
    ...(exposeStacks !== undefined && { exposeStacks }),
    ...(onError !== undefined && { onError }),
  });
  const transport = createDbQueueTransport(queue, address);
  return {
    transport,
    listener,
    another: () => createDbQueueTransport(queue, address),
    close: async () => {
      await transport.close();
      await queue.close();
      await listener.close();
    },
  };
}

afterAll(async () => {
  await (await opened)?.close();
});

transportSuite({
  describe,
  it,
  name: "db-queue over PostgreSQL",
  factory: connect,
  leaveOut: { C41: TWO_CLOCKS, C58: TWO_CLOCKS, C59: TWO_CLOCKS },
  losses: {
    [REFUSAL_WHILE_DRAINING]: "a call waits in the table for the next agent; failFast refuses it when none is known",
  },
});
