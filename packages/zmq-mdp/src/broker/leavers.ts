import { keyOf } from "./identities.ts";
import type { BrokerMachine } from "./machine.ts";
import type { Door, Service, Worker } from "./roster.ts";

// Callers of 0.2 that are gone before an answer in parts has come to its end.

/** A part of an answer came back. Its caller is gone, or does not read: then nothing may follow that looks like the whole. */
export function partLost(
  broker: BrokerMachine,
  door: Door,
  client: string,
  service: Uint8Array | undefined,
  full: boolean,
): void {
  for (const worker of workersOf(broker, door, client, service)) {
    if (worker.request?.begun !== true) continue;
    if (full) worker.request.isCut = true;
    else worker.request.failed = true;
    broker.stop(worker);
  }
}

/** The caller has left what it has asked the service over this socket. How many requests that were. */
export function cancelRunning(broker: BrokerMachine, door: Door, client: Buffer, service: Service): number {
  let count = 0;
  for (const worker of workersOf(broker, door, keyOf(client), service.frame)) {
    if (worker.request?.version !== "0.2" || worker.request.failed) continue;
    worker.request.failed = true;
    broker.counters.cancelled += 1;
    broker.stop(worker);
    count += 1;
  }
  return count;
}

/** By its frame, which all messages of a service share. */
function workersOf({ doors }: BrokerMachine, door: Door, client: string, service: Uint8Array | undefined): Worker[] {
  return doors.flatMap(({ workers }) =>
    Array.from(workers.values()).filter(
      ({ request }) => request?.door === door && request.service.frame === service && keyOf(request.client) === client,
    ),
  );
}
