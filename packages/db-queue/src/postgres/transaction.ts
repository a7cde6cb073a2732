import { RpcError } from "@rpc/core";
import type { PoolClient } from "pg";
import type { StoreTransaction } from "../store/store.ts";
import { ensureAddress, removeAddress } from "./addresses.ts";
import { cancelWithin } from "./cancel.ts";
import { ClientSession, type Session } from "./connections.ts";
import { byHalves } from "./by-halves.ts";
import { insertCommands } from "./insert.ts";
import type { PostgresSettings } from "./options.ts";
import { publish } from "./publish.ts";
import type { Statements } from "./statements.ts";
import { isDataFault, isUniqueViolation, postgresError } from "./status.ts";

/** Each verb in a savepoint: one that fails leaves the caller's transaction as it was. Wake-ups are the server's, at the commit. */
export function callersTransaction(
  handle: unknown,
  {
    settings,
    statements,
    endpoint,
  }: { readonly settings: PostgresSettings; readonly statements: Statements; readonly endpoint: string },
  mustBeOpen: () => void,
): StoreTransaction {
  if (!isClient(handle)) {
    throw new RpcError(
      "FAILED_PRECONDITION",
      "inTransaction() needs a client of pg that is connected: the one that BEGIN was sent on, not the pool",
      { reason: "NOT_THIS_STORE" },
    );
  }
  const session = new ClientSession(handle, settings);
  mustBeInTransaction(handle);
  // One verb at a time: two of them would open their savepoints into each other.
  let last: Promise<unknown> = Promise.resolve();
  const run = <T>(verb: (session: Session) => Promise<T>): Promise<T> => {
    const result = last.then(async () => {
      mustBeOpen();
      mustBeInTransaction(handle);
      try {
        return await inSavepoint(session, verb);
      } catch (thrown) {
        throw postgresError(thrown, endpoint);
      }
    });
    last = result.catch(() => undefined);
    return result;
  };
  return {
    ensureAddress: (name) => run((inner) => ensureAddress(inner, statements.addresses, name)),
    removeAddress: (name) => run((inner) => removeAddress(inner, statements.addresses, name)),
    insert: (commands) =>
      byHalves(commands, (some) => run((inner) => insertCommands(inner, statements.insert.within, some)), endpoint),
    cancel: (cancels) => run((inner) => cancelWithin(inner, statements.cancel, cancels)),
    publish: (topics) =>
      topics.length === 0 ? Promise.resolve() : run((inner) => publish(inner, statements.publish, topics)),
  };
}

async function inSavepoint<T>(session: ClientSession, verb: (session: Session) => Promise<T>): Promise<T> {
  await session.raw("SAVEPOINT rpc_verb");
  try {
    const result = await verb(session);
    await session.raw("RELEASE SAVEPOINT rpc_verb");
    return result;
  } catch (thrown) {
    if (thrown instanceof RpcError || isDataFault(thrown) || isUniqueViolation(thrown) || isServers(thrown)) {
      await session.raw("ROLLBACK TO SAVEPOINT rpc_verb; RELEASE SAVEPOINT rpc_verb").catch(() => undefined);
    }
    throw thrown;
  }
}

function isServers(thrown: unknown): boolean {
  return thrown instanceof Error && "severity" in thrown && thrown.severity === "ERROR";
}

// `I`: no transaction. Older versions of pg, and foreign clients of its kind, cannot tell: then the savepoint does.
function mustBeInTransaction(client: CallersClient): void {
  const status = client.getTransactionStatus?.();
  if (status !== "I") return;
  throw new RpcError("FAILED_PRECONDITION", "inTransaction() needs a transaction: BEGIN before, COMMIT after it", {
    reason: "NO_TRANSACTION",
  });
}

interface CallersClient extends Pick<PoolClient, "query"> {
  getTransactionStatus?(): unknown;
}

function isClient(handle: unknown): handle is CallersClient {
  return (
    typeof handle === "object" &&
    handle !== null &&
    "query" in handle &&
    typeof handle.query === "function" &&
    "connection" in handle &&
    !("totalCount" in handle)
  );
}
