import type { RpcError } from "@rpc/core";
import { lockedError } from "../store/store-errors.ts";
import type { Session, Statement } from "./connections.ts";
import { isLockTimeout } from "./status.ts";

/** How long a verb waits for rows, keys and addresses that somebody else's transaction has locked, before it does the others without them. */
export const LOCK_WAIT_MS = 500;
const MAX_ROUNDS = 5;

/** For a CTE that is read before any row is locked: the wait is bounded for this statement's transaction alone, on whoever's connection. */
export const patience = (ms: number): string => `set_config('lock_timeout', '${ms}', true)`;

/** Of commands, those that cannot be changed now, because they, the broadcast that they are copies of, or one of their own copies is locked. */
export function busyStatement(make: (text: string) => Statement): Statement {
  return make(`WITH x AS MATERIALIZED (
  SELECT id AS asked, id FROM rpc_command WHERE id = ANY ($1::bigint[])
  UNION ALL SELECT id, parent_id FROM rpc_command WHERE id = ANY ($1::bigint[]) AND parent_id IS NOT NULL
  UNION ALL SELECT parent_id, id FROM rpc_command WHERE parent_id = ANY ($1::bigint[]) AND state IN ('queued', 'claimed')),
free AS MATERIALIZED (SELECT id FROM rpc_command WHERE id = ANY (ARRAY(SELECT id FROM x)) FOR UPDATE SKIP LOCKED)
SELECT DISTINCT asked FROM x WHERE id NOT IN (SELECT id FROM free)`);
}

/** Runs a statement that locks commands; where it waits for too long, again without those that are locked, whose answer is to try again. */
export async function withoutLocked<Item extends { readonly id: number }, Result>(
  session: Session,
  busy: Statement,
  items: readonly Item[],
  run: (items: readonly Item[]) => Promise<readonly (Result | RpcError)[]>,
): Promise<(Result | RpcError)[]> {
  const locked = new Set<number>();
  for (let round = 1; ; round += 1) {
    const free = items.filter(({ id }) => !locked.has(id));
    try {
      const results = (await run(free))[Symbol.iterator]();
      return items.map(({ id }) => {
        const result = locked.has(id) ? undefined : results.next().value;
        return result ?? lockedError(`command ${id}`);
      });
    } catch (thrown) {
      if (!isLockTimeout(thrown) || round === MAX_ROUNDS) throw thrown;
      const ids = free.map(({ id }) => id).filter((id) => Number.isSafeInteger(id) && id > 0);
      for (const [id] of (await session.rows(busy, [ids])) as readonly [number][]) locked.add(id);
    }
  }
}
