import { RpcError } from "@rpc/core";
import { storeClosedError } from "../store/store-errors.ts";
import { cancelTopic, commandTopic, eventsTopic, type QueueStore, resultTopic } from "../store/store.ts";
import type { Answer, Claimed, ClaimRequest, LeaseExtension, Outcome, Settled } from "../store/store-words.ts";
import {
  ensureAddress,
  findAddress,
  keepAlive,
  listAddresses,
  listAgents,
  pauseAddress,
  removeAddress,
  subscribe,
  unsubscribe,
} from "./addresses.ts";
import { cancelCommands, cancellations } from "./cancel.ts";
import { claimCommands } from "./claim.ts";
import { Connections, connectionConfig, createPool } from "./connections.ts";
import { byHalves } from "./by-halves.ts";
import { readyInsert } from "./insert.ts";
import { insertAround } from "./insert-around.ts";
import { listCommands } from "./list.ts";
import { giveBackLost } from "./lost-claims.ts";
import { migrate } from "./migrate.ts";
import { endpointOf, type PostgresStoreOptions, postgresSettings } from "./options.ts";
import { readCommands, readEvents, readOutcomes } from "./reading.ts";
import { appendEvents, extendLeases, settleClaims } from "./settle.ts";
import { storeStatements } from "./statements.ts";
import { publish } from "./publish.ts";
import { readStats } from "./stats.ts";
import { callersTransaction } from "./transaction.ts";
import { prune, reap } from "./upkeep.ts";
import { WakeUps } from "./wake-ups.ts";

const AGAIN = { isIdempotent: true };
/** For the renewal of short leases, which are renewed once more when they are nearly over. */
const LEAST_RENEWAL_MS = 100;

/**
 * Commands in PostgreSQL 14 or newer, through `pg`: for any number of machines. Connects at the first verb. Leases and signs of life have a
 * connection of their own, so that a busy pool costs no claim its lease. A verb is one statement, which is one transaction, wherever that is
 * possible; one whose connection was lost under it rejects UNAVAILABLE, `delivered: "unknown"`, where a second run would not do the same.
 */
export function createPostgresStore(options: PostgresStoreOptions): QueueStore {
  const settings = postgresSettings(options);
  const endpoint = endpointOf(settings);
  const statements = storeStatements(settings.schema, settings.notify);
  const config = connectionConfig(settings);
  const given = settings.connection;
  const main = new Connections(
    settings,
    typeof given === "string" ? createPool(config) : given,
    typeof given === "string",
  );
  // Kept while nothing is to be renewed: when others have taken the server's last connection there would be no other.
  const leases = new Connections(
    settings,
    createPool({ ...config, max: 1, idleTimeoutMillis: 0, allowExitOnIdle: true }),
    true,
  );
  const wakeUps = new WakeUps({
    config,
    endpoint,
    channel: `rpc_wake_${settings.schema}`,
    listens: !settings.isPooled && settings.notify !== "off",
    pollIntervalMs: settings.pollIntervalMs,
    keepAliveMs: settings.keepAliveMs,
    connectTimeoutMs: settings.connectTimeoutMs,
    clock: settings.clock,
  });
  const mustBeOpen = (): void => {
    if (main.isClosed) throw storeClosedError(endpoint);
  };
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= Promise.all([main.close(), leases.close()]).then(() => wakeUps.close());
    return closing;
  };

  return {
    endpoint,
    migrate: () => migrate(main, settings, undefined),

    findAddress: (address) => main.run((session) => findAddress(session, statements.addresses, address), AGAIN),
    ensureAddress: (name) => main.run((session) => ensureAddress(session, statements.addresses, name), AGAIN),
    pauseAddress: async (name, paused) => {
      await main.run((session) => pauseAddress(session, statements.addresses, name, paused), AGAIN);
      if (!paused) wakeUps.wakeHere([commandTopic(name)]);
    },
    removeAddress: (name) => main.transaction((session) => removeAddress(session, statements.addresses, name)),
    listAddresses: () => main.run((session) => listAddresses(session, statements.addresses), AGAIN),

    subscribe: (subscription) =>
      main.transaction((session) => subscribe(session, statements.addresses, subscription), AGAIN),
    unsubscribe: (agent) => main.run((session) => unsubscribe(session, statements.addresses, agent)),
    keepAlive: (agents) =>
      leases.run((session) => keepAlive(session, statements.addresses, agents), {
        ...AGAIN,
        timeoutMs: settings.keepAliveMs,
      }),
    listAgents: (address) => main.run((session) => listAgents(session, statements.addresses, address), AGAIN),

    insert: async (commands) => {
      mustBeOpen();
      const inserted = await insertAround((verb) => main.run(verb), statements.insert, commands, endpoint);
      wakeUps.wakeHere([...new Set(commands.map(({ address }) => commandTopic(address)))]);
      return inserted;
    },
    readyInsert,
    claim: async (requests) => {
      mustBeOpen();
      return claimAll(requests, (request) =>
        main.run(async (session) => {
          if (request.held !== undefined) await giveBackLost(session, statements, request);
          return claimCommands(session, statements.claim, request);
        }),
      );
    },
    settle: async (answers) => {
      mustBeOpen();
      const settled = await byHalves(
        answers,
        (some) => main.run((session, isRepeat) => settleClaims(session, statements.settle, some, isRepeat), AGAIN),
        endpoint,
      );
      wakeUps.ended(answers.map((answer, index) => ({ id: answer.id, outcome: outcomeOf(answer, settled[index]) })));
      return settled;
    },
    extend: (given) =>
      leases.run((session) => extendLeases(session, statements.settle, given), {
        ...AGAIN,
        // A connection may be dead without anybody having been told: there has to be time left for another one.
        timeoutMs: Math.max(LEAST_RENEWAL_MS, shortest(given) / 3),
      }),
    cancellations: (claims) => main.run((session) => cancellations(session, statements.cancel, claims), AGAIN),
    appendEvents: async (batches) => {
      mustBeOpen();
      const appended = await byHalves(
        batches,
        (some) =>
          main.run((session) => appendEvents(session, statements.settle, some), {
            isIdempotent: some.every(({ batch }) => batch !== undefined),
          }),
        endpoint,
      );
      wakeUps.wakeHere(batches.map(({ id }) => eventsTopic(id)));
      return appended;
    },
    cancel: async (cancels) => {
      const cancelled = await main.run((session) => cancelCommands(session, statements.cancel, cancels), AGAIN);
      wakeUps.wakeHere(cancels.flatMap(({ id }) => [resultTopic(id), cancelTopic(id)]));
      return cancelled;
    },

    outcomes: (ids) => main.run((session) => readOutcomes(session, statements.read, ids), AGAIN),
    read: (ids) => main.run((session) => readCommands(session, statements.read, ids), AGAIN),
    readEvents: (id, range = {}) => main.run((session) => readEvents(session, statements.read, id, range), AGAIN),
    list: (filter = {}) => main.run((session) => listCommands(session, statements.list, filter), AGAIN),
    stats: (range = {}) => main.run((session) => readStats(session, statements.stats, range), AGAIN),

    reap: (limits = {}) => main.run((session) => reap(session, statements.upkeep, limits), AGAIN),
    prune: (retention) => main.run((session) => prune(session, statements.upkeep, retention), AGAIN),

    watch: (listener) => {
      mustBeOpen();
      return wakeUps.watch(listener);
    },
    publish: async (topics) => {
      mustBeOpen();
      if (topics.length > 0 && settings.notify !== "off") {
        await main.run((session) => publish(session, statements.publish, topics), AGAIN);
      }
      wakeUps.wakeHere(topics);
    },
    inTransaction: (handle) => callersTransaction(handle, { settings, statements, endpoint }, mustBeOpen),

    close,
    [Symbol.asyncDispose]: close,
  };
}

function shortest(leases: readonly LeaseExtension[]): number {
  return leases.reduce((least, { leaseMs }) => (leaseMs < least ? leaseMs : least), Number.POSITIVE_INFINITY);
}

/** What is in the row now, where the answer says it all: an end is the last that is written there. */
function outcomeOf(answer: Answer, settled: Settled | RpcError | undefined): Outcome | undefined {
  const { id, outcome: state } = answer;
  if (state === "released" || settled === undefined || settled instanceof RpcError || settled.state !== state)
    return undefined;
  return state === "done"
    ? { id, state, result: answer.result, error: undefined }
    : { id, state, result: undefined, error: answer.error };
}

/** One after the other, a statement each: what one agent meets is not the others' fault. Rejects when nothing was claimed before the fault. */
async function claimAll(
  requests: readonly ClaimRequest[],
  claim: (request: ClaimRequest) => Promise<Claimed | RpcError>,
): Promise<(Claimed | RpcError)[]> {
  const answers: (Claimed | RpcError)[] = [];
  for (const request of requests) {
    try {
      answers.push(await claim(request));
    } catch (thrown) {
      if (answers.every((answer) => answer instanceof RpcError)) throw thrown;
      answers.push(RpcError.from(thrown));
    }
  }
  return answers;
}
