import { RpcError } from "@rpc/core";
import { lockedError } from "../store/store-errors.ts";
import type { Inserted, NewCommand } from "../store/store-words.ts";
import { byHalves } from "./by-halves.ts";
import type { Session } from "./connections.ts";
import { type AllInsertStatements, insertCommands, type InsertStatements } from "./insert.ts";
import { isLockTimeout, postgresError } from "./status.ts";

/** Short waits for somebody's idempotency key, of one insert; whatever is left then is told to try again. */
const MAX_WAITS = 20;

type Answers = readonly (Inserted | RpcError)[];
type Run = <T>(verb: (session: Session) => Promise<T>) => Promise<T>;

interface Asked {
  readonly command: NewCommand;
  answer: Inserted | RpcError | undefined;
}

/**
 * One statement; where that waits for too long for an address or an idempotency key that is in somebody's open transaction, again in parts, so
 * that all the others are there: commands without a key first, then those with one, by halves.
 */
export async function insertAround(
  run: Run,
  statements: AllInsertStatements,
  commands: readonly NewCommand[],
  endpoint: string,
): Promise<Answers> {
  const insert = (some: readonly NewCommand[], by: InsertStatements): Promise<Answers> =>
    byHalves(some, (part) => run((session) => insertCommands(session, by, part)), endpoint);
  try {
    return await insert(commands, statements);
  } catch (thrown) {
    if (!isLocked(thrown)) throw thrown;
  }
  const names = [...new Set(commands.map(({ address }) => address))];
  const busy = new Set((await run((session) => session.rows(statements.busy, [names]))).map(([name]) => name));
  const all = commands.map((command): Asked => ({ command, answer: undefined }));
  let waits = 0;
  const inParts = async (some: readonly Asked[]): Promise<void> => {
    if (some.length === 0 || waits >= MAX_WAITS) return;
    try {
      const answers = await insert(
        some.map(({ command }) => command),
        statements.hurried,
      );
      for (const [index, asked] of some.entries()) asked.answer = answers[index];
    } catch (thrown) {
      // What came before is there, so it is told of these alone.
      if (!isLocked(thrown)) for (const asked of some) asked.answer = postgresError(thrown, endpoint, "unknown");
      waits += 1;
      if (some.length === 1 || !isLocked(thrown)) return;
      const half = Math.ceil(some.length / 2);
      await inParts(some.slice(0, half));
      await inParts(some.slice(half));
    }
  };
  const free = all.filter(({ command }) => !busy.has(command.address));
  await inParts(free.filter(({ command }) => command.idempotencyKey === undefined));
  await inParts(free.filter(({ command }) => command.idempotencyKey !== undefined));
  return all.map(({ command, answer }) => answer ?? lockedError(whatOf(command, busy)));
}

function isLocked(thrown: unknown): boolean {
  return thrown instanceof RpcError && isLockTimeout(thrown.cause);
}

function whatOf({ address, idempotencyKey }: NewCommand, busy: ReadonlySet<unknown>): string {
  return idempotencyKey === undefined || busy.has(address)
    ? `address "${address}"`
    : `idempotency key "${idempotencyKey}" at "${address}"`;
}
