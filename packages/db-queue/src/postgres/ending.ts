/** Parts of statements that end commands; `from` names rows as they are afterwards. */

const ENDED = "('done', 'failed', 'expired', 'cancelled')";

/** What every such statement returns of a row beside its own. */
export const TOUCHED = "id, address_id, parent_id, ordering_key, state, notification";

/** Deletes what nobody wants, ends broadcasts. Wakes, where it is the verbs that do. Runs once, after the change, and not at all where nothing of that is to do. */
export function afterwards(from: string, wakes: boolean): string {
  const ended = `(SELECT rpc_command_ended(array_agg(id) FILTER (WHERE notification AND parent_id IS NULL),
      array_agg(DISTINCT CASE WHEN state = 'waiting' THEN id ELSE parent_id END) FILTER (WHERE state = 'waiting' OR parent_id IS NOT NULL), ${String(wakes)})
    FROM ${from} WHERE (state IN ${ENDED} AND (notification OR parent_id IS NOT NULL)) OR state = 'waiting' HAVING count(*) > 0)`;
  const wake = `(SELECT rpc_wake(array_agg(topic)) FROM (
      SELECT 'result of: ' || id AS topic FROM ${from} WHERE state IN ${ENDED} AND NOT notification
      UNION ALL
      SELECT 'cancel of: ' || id FROM ${from} WHERE state = 'claimed'
      UNION ALL
      SELECT 'command on: ' || name FROM rpc_address WHERE id IN (
        SELECT address_id FROM ${from} WHERE state = 'queued' OR (ordering_key IS NOT NULL AND state IN ${ENDED}))) AS w HAVING count(*) > 0)`;
  return wakes ? `${ended}, ${wake}` : ended;
}

/** `text`, a JSON text or a parameter, for a command that never started, or the other for one that may have. */
export function outcomeError(code: string, started: string): string {
  return `CASE WHEN ${started} THEN '{"code":"${code}","outcome":"unknown"}'::json ELSE '{"code":"${code}","outcome":"no"}'::json END`;
}
