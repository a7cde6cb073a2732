import type { RpcError } from "@rpc/core";
import type { Claimed, ClaimRequest } from "../store/store-words.ts";
import type { QueueStore, WakeListener, Watch } from "../store/store.ts";
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
import { cancelCommand, cancellations } from "./cancel.ts";
import { claimCommands } from "./claim.ts";
import { appendEvents, readEvents } from "./events.ts";
import { GroupCommit, inSavepoint } from "./group-commit.ts";
import { insertCommands } from "./insert.ts";
import { listCommands } from "./list.ts";
import { migrate } from "./migrate.ts";
import { type SqliteStoreOptions, sqliteSettings } from "./options.ts";
import { bumpWake } from "./publish.ts";
import { readCommand, readOutcome } from "./reading.ts";
import { extendLease, settleClaim } from "./settle.ts";
import { readStats } from "./stats.ts";
import { CallersTransactions } from "./transaction.ts";
import { prune, reap } from "./upkeep.ts";
import { WakeUps } from "./wake-ups.ts";
import type { Work } from "./work.ts";

/**
 * Commands in one SQLite file, through node:sqlite: for one machine, and any number of processes on it. Opens the file at the first verb,
 * and closes it with `close()`. A commit stops the event loop while the disk writes; what many calls want in the same turn is written once.
 */
export function createSqliteStore(options: SqliteStoreOptions): QueueStore {
  const settings = sqliteSettings(options);
  const commits = new GroupCommit(settings, {
    join: (work) => wakeUps.serve(work.topics, (request) => claimAlong(work, request)),
    committed: (work, served) => wakeUps.wake(work.topics, served),
  });
  const wakeUps = new WakeUps(
    {
      open: () => commits.read(() => undefined).then(() => commits.dataVersion()),
      dataVersion: () => commits.dataVersion(),
      endedSince: (at) => commits.endedSince(at),
      wallClock: settings.wallClock,
    },
    settings.clock,
    settings.pollIntervalMs,
  );
  let isClosed = false;
  const transactions = new CallersTransactions(settings, () => isClosed);
  const close = (): Promise<void> => {
    isClosed = true;
    return commits.close().finally(() => wakeUps.close());
  };

  return {
    endpoint: `sqlite:${settings.file}`,
    migrate: () => commits.write((work) => migrate(work, undefined)),

    findAddress: (address) => commits.read((work) => findAddress(work, address)),
    ensureAddress: (name) => commits.write((work) => ensureAddress(work, name)),
    pauseAddress: (name, paused) => commits.write((work) => pauseAddress(work, name, paused)),
    removeAddress: (name) => commits.write((work) => removeAddress(work, name)),
    listAddresses: () => commits.read(listAddresses),

    subscribe: (subscription) => commits.write((work) => subscribe(work, subscription)),
    unsubscribe: (agent) => commits.write((work) => unsubscribe(work, agent)),
    keepAlive: (agents) => commits.write((work) => agents.map((agent) => keepAlive(work, agent))),
    listAgents: (address) => commits.read((work) => listAgents(work, address)),

    insert: (commands) => commits.write((work) => insertCommands(work, commands)),
    claim: (requests) => commits.write((work) => requests.map((request) => claimCommands(work, request))),
    settle: (answers) => commits.write((work) => answers.map((answer) => settleClaim(work, answer))),
    extend: (leases) => commits.write((work) => leases.map((lease) => extendLease(work, lease))),
    cancellations: (claims) => commits.read((work) => cancellations(work, claims)),
    appendEvents: (batches) => commits.write((work) => batches.map((batch) => appendEvents(work, batch))),
    cancel: (cancels) => commits.write((work) => cancels.map((cancel) => cancelCommand(work, cancel))),

    outcomes: (ids) => commits.read((work) => ids.map((id) => readOutcome(work, id))),
    read: (ids) => commits.read((work) => ids.map((id) => readCommand(work, id))),
    readEvents: (id, options = {}) =>
      commits.read((work) => readEvents(work, id, options.afterSeq ?? 0, options.limit ?? 100)),
    list: (filter = {}) => listCommands((look) => commits.read(look), filter),
    stats: (options = {}) => commits.read((work) => readStats(work, options.address, options.windowMs)),

    reap: (options = {}) => commits.write((work) => reap(work, options)),
    prune: (retention) => commits.write((work) => prune(work, retention)),

    watch: (listener: WakeListener): Watch => wakeUps.watch(listener),
    publish: (topics) => (topics.length === 0 ? Promise.resolve() : commits.write((work) => bumpWake(work, topics))),
    inTransaction: (handle) => transactions.begin(handle),

    close,
    [Symbol.asyncDispose]: close,
  };
}

/** In somebody else's transaction. Undefined: it could not, and has left nothing behind. Throws when the transaction is gone. */
function claimAlong(work: Work, request: ClaimRequest): Claimed | RpcError | undefined {
  try {
    return inSavepoint(work, () => claimCommands(work, request));
  } catch (thrown) {
    if (!work.isInTransaction()) throw thrown;
    return undefined;
  }
}
