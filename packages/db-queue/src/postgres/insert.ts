import { RpcError } from "@rpc/core";
import { commandFault } from "../store/checked-command.ts";
import { answerFor } from "../store/earlier-command.ts";
import { noAddressError, noAgentError, pausedError } from "../store/store-errors.ts";
import type { CommandState, Inserted, NewCommand } from "../store/store-words.ts";
import { arrayText } from "./array-text.ts";
import type { Row, Session, Statement, Value } from "./connections.ts";
import { LOCK_WAIT_MS, patience } from "./row-locks.ts";

type Column = (command: NewCommand) => string | number | boolean | null | undefined;

const COLUMNS: readonly Column[] = [
  (c) => c.address,
  (c) => c.method,
  (c) => c.args,
  (c) => c.kwargs,
  (c) => c.meta,
  (c) => c.priority,
  (c) => c.orderingKey,
  (c) => c.targetAgent,
  (c) => c.maxAttempts,
  (c) => c.delayMs,
  (c) => c.expiresMs,
  (c) => c.createdBy,
  // Rarely one: a column of nothing but defaults is not sent.
  (c) => (c.notification === true ? true : null),
];
const SPECIAL_COLUMNS: readonly Column[] = [
  ...COLUMNS,
  (c) => c.idempotencyKey,
  (c) => c.broadcast,
  (c) => c.agentSeenWithinMs,
];

/** What they carry. */
const CARGO: readonly Column[] = [(c) => c.args, (c) => c.kwargs, (c) => c.meta];
/** What commands of one list have in common, mostly: all the rest. */
const COMMON: readonly Column[] = [
  (c) => c.address,
  (c) => c.method,
  (c) => c.priority,
  (c) => c.orderingKey,
  (c) => c.targetAgent,
  (c) => c.maxAttempts,
  (c) => c.delayMs,
  (c) => c.expiresMs,
  (c) => c.createdBy,
  (c) => c.notification === true,
];

const TYPES = "text text json json json smallint text text smallint float8 float8 text boolean".split(" ");
const NAMES =
  "address, method, args, kwargs, meta, priority, ordering_key, target_agent, max_attempts, delay_ms, expires_ms, created_by, notification";
const WRITTEN = `(id, address_id, method, args, kwargs, meta, priority, ordering_key, target_agent, max_attempts, created_by, created_at, not_before,
  delayed, expires_at`;
const arrays = (types: readonly string[]): string => types.map((type, index) => `$${index + 1}::${type}[]`).join(", ");

// The lock on the address stands for a foreign key: whoever removes it waits, and finds these commands. Ids are taken in the order of the list.
const given = (
  types: readonly string[],
  names: string,
  first: string,
): string => `patience AS MATERIALIZED (SELECT ${first}),
  i AS MATERIALIZED (
    SELECT nextval('rpc_command_id_seq') AS id, t.* FROM patience, unnest(${arrays(types)}) WITH ORDINALITY AS t(${names}, n)),
  a AS MATERIALIZED (SELECT id AS address_id, name, paused FROM rpc_address WHERE name IN (SELECT address FROM i) FOR KEY SHARE),
  clock AS MATERIALIZED (SELECT clock_timestamp() AS now)`;

const written = (
  from: string,
): string => `${from}.id, ${from}.address_id, ${from}.method, coalesce(${from}.args, '[]'), coalesce(${from}.kwargs, '{}'),
  coalesce(${from}.meta, '{}'), coalesce(${from}.priority, 0), ${from}.ordering_key`;
const times = (from: string): string => `coalesce(${from}.max_attempts, 1), ${from}.created_by, now,
  now + coalesce(${from}.delay_ms, 0) * interval '1 ms', coalesce(${from}.delay_ms, 0) > 0, now + ${from}.expires_ms * interval '1 ms'`;

const WAKE = "(SELECT rpc_wake(array_agg('command on: ' || name)) FROM a HAVING count(*) > 0)";

export interface InsertStatements {
  /** A command alone, as most are where little happens: to begin a statement with lists in it takes longer than to write a row. */
  readonly one: Statement;
  /** Commands that differ in their arguments and metadata alone: to read twelve lists and to copy their rows takes longer than to write these. */
  readonly alike: Statement;
  readonly plain: Statement;
  readonly special: Statement;
  readonly earlier: Statement;
}

export interface AllInsertStatements extends InsertStatements {
  /** The same for a transaction of the caller's own, which waits for as long as the caller has it wait. */
  readonly within: InsertStatements;
  /** When there was a wait already. */
  readonly hurried: InsertStatements;
  readonly busy: Statement;
}

export function insertStatements(
  make: (text: string) => Statement,
  wake: ((topic: string) => string) | undefined,
): AllInsertStatements {
  return {
    ...statementsWith(make, wake, patience(LOCK_WAIT_MS)),
    hurried: statementsWith(make, wake, patience(LOCK_WAIT_MS / 10)),
    within: statementsWith(make, wake, "NULL"),
    busy: make(`WITH free AS MATERIALIZED (SELECT id FROM rpc_address WHERE name = ANY ($1::text[]) FOR KEY SHARE SKIP LOCKED)
SELECT name FROM rpc_address WHERE name = ANY ($1::text[]) AND id NOT IN (SELECT id FROM free)`),
  };
}

function statementsWith(
  make: (text: string) => Statement,
  wakeOne: ((topic: string) => string) | undefined,
  first: string,
): InsertStatements {
  const wake = wakeOne === undefined ? "NULL" : WAKE;
  const woken = (when: string): string =>
    wakeOne === undefined ? "NULL" : when.replace("?", () => wakeOne("'command on: ' || $1"));
  const row = (
    args: string,
    kwargs: string,
    meta: string,
  ): string => `nextval('rpc_command_id_seq'), address_id, $2::text, coalesce(${args}, '[]'),
           coalesce(${kwargs}, '{}'), coalesce(${meta}, '{}'), coalesce($3::smallint, 0), $4::text, $5::text, coalesce($6::smallint, 1), $9::text, now,
           now + coalesce($7::float8, 0) * interval '1 ms', coalesce($7::float8, 0) > 0, now + $8::float8 * interval '1 ms', $10::boolean`;
  const address = `rpc_address WHERE name = $1 AND (${first}) IS DISTINCT FROM '' FOR KEY SHARE`;
  return {
    one: make(`INSERT INTO rpc_command ${WRITTEN}, notification)
  SELECT ${row("$11::json", "$12::json", "$13::json")}
    FROM (SELECT id AS address_id, clock_timestamp() AS now FROM ${address}) AS a
  RETURNING id::text, ${woken("?")}`),
    // Rows come in the order of the lists: of the two that are joined, one has a single row.
    alike: make(`WITH a AS MATERIALIZED (SELECT id AS address_id FROM ${address}),
  g AS MATERIALIZED (SELECT address_id, clock_timestamp() AS now FROM a),
  made AS (INSERT INTO rpc_command ${WRITTEN}, notification)
    SELECT ${row("args", "kwargs", "meta")} FROM g, unnest($11::json[], $12::json[], $13::json[]) AS t(args, kwargs, meta) RETURNING id)
SELECT array_to_string(array_agg(id), ','), ${woken("CASE WHEN count(*) > 0 THEN ? END")} FROM made`),
    plain: make(`WITH ${given(TYPES, NAMES, first)},
  p AS MATERIALIZED (SELECT i.*, a.address_id FROM i JOIN a ON a.name = i.address),
  made AS (INSERT INTO rpc_command ${WRITTEN}, notification)
    SELECT ${written("p")}, p.target_agent, ${times("p")}, coalesce(p.notification, false) FROM p, clock ORDER BY p.n)
SELECT n, id, ${wake} FROM p`),
    // A broadcast is two inserts: the one that waits, and the copies. What nobody would get and nobody waits for is not written at all.
    special:
      make(`WITH ${given([...TYPES, "text", "boolean", "float8"], `${NAMES}, idempotency_key, broadcast, seen_ms`, first)},
  p AS MATERIALIZED (
    SELECT i.*, a.address_id, a.paused, coalesce(i.broadcast, false) AS to_all, (
      SELECT array_agg(g.name ORDER BY g.name) FROM rpc_agent g WHERE g.address_id = a.address_id
         AND (i.seen_ms IS NULL OR g.last_seen >= now - i.seen_ms * interval '1 ms')) AS agents
      FROM i JOIN a ON a.name = i.address, clock),
  q AS MATERIALIZED (
    SELECT p.*, seen_ms IS NOT NULL AND (agents IS NULL OR target_agent IS NOT NULL AND NOT target_agent = ANY (agents)) AS alone FROM p),
  made AS (INSERT INTO rpc_command ${WRITTEN}, notification, idempotency_key, state, finished_at, result)
    SELECT ${written("q")}, q.target_agent, ${times("q")}, coalesce(q.notification, false), q.idempotency_key,
           CASE WHEN NOT to_all THEN 'queued' WHEN agents IS NULL THEN 'done' ELSE 'waiting' END,
           CASE WHEN to_all AND agents IS NULL THEN now END, CASE WHEN to_all AND agents IS NULL THEN '[]'::json END
      FROM q, clock
     WHERE NOT (seen_ms IS NOT NULL AND paused) AND NOT alone AND NOT (to_all AND agents IS NULL AND coalesce(q.notification, false))
     ORDER BY q.n
        ON CONFLICT (address_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
    RETURNING id),
  copies AS (INSERT INTO rpc_command ${WRITTEN}, parent_id)
    SELECT nextval('rpc_command_id_seq'), ${written("q").slice("q.id, ".length)}, g.name, ${times("q")}, q.id
      FROM q JOIN made ON made.id = q.id CROSS JOIN clock CROSS JOIN unnest(q.agents) AS g(name) WHERE to_all ORDER BY q.n, g.name)
SELECT q.n, q.id, made.id IS NOT NULL, seen_ms IS NOT NULL AND paused, alone, to_all, coalesce(cardinality(agents), 0), ${wake}
  FROM q LEFT JOIN made ON made.id = q.id`),
    earlier:
      make(`SELECT i.n, c.id, c.state, c.method, c.args::text, c.kwargs::text, c.notification, c.attempts, c.result IS NOT NULL
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS i(address, key, n)
  JOIN rpc_address a ON a.name = i.address JOIN rpc_command c ON c.address_id = a.id AND c.idempotency_key = i.key`),
  };
}

const MAX_ROUNDS = 5;

/** What `alike` is given for a list that was announced. */
const READY = new WeakMap<readonly NewCommand[], readonly Value[]>();

/** See `QueueStore.readyInsert`. */
export function readyInsert(commands: readonly NewCommand[]): void {
  if (commands.length < 2 || commands.some((command) => isSpecial(command) || commandFault(command) !== undefined))
    return;
  if (areAlike(commands))
    READY.set(
      commands,
      alikeValues(commands).map((value) => (isList(value) ? arrayText(value) : value)),
    );
}

/** See `QueueStore.insert`. Throws what the database does, when nothing was kept. */
export async function insertCommands(
  session: Session,
  statements: InsertStatements,
  commands: readonly NewCommand[],
): Promise<(Inserted | RpcError)[]> {
  const ready = READY.get(commands);
  if (ready !== undefined) return answersOf(commands, await session.rows(statements.alike, ready));
  const answers: (Inserted | RpcError | undefined)[] = commands.map(commandFault);
  // Somebody else's command of the same key may be deleted between two looks at it.
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const left = commands.flatMap((command, index) => (answers[index] === undefined ? [{ command, index }] : []));
    if (left.length === 0) break;
    const given = left.map(({ command }) => command);
    const insert = given.some(isSpecial) ? insertSpecial : areAlike(given) ? insertAlike : insertPlain;
    const found = await insert(session, statements, given);
    left.forEach(({ index }, at) => {
      answers[index] = found[at];
    });
  }
  return answers.map((answer, index) => answer ?? busyKeyError(commands[index]?.idempotencyKey ?? ""));
}

function isSpecial(command: NewCommand): boolean {
  return command.idempotencyKey !== undefined || command.broadcast === true || command.agentSeenWithinMs !== undefined;
}

function areAlike(commands: readonly NewCommand[]): boolean {
  const [first] = commands;
  return (
    first !== undefined &&
    COMMON.every((column) => {
      const value = column(first);
      return commands.every((command) => column(command) === value);
    })
  );
}

/** One list at least is as long as that of the commands: it says how many there are. */
function cargo(commands: readonly NewCommand[]): Value[] {
  const [args = null, ...others] = columns(CARGO, commands);
  return [args ?? (others.every((other) => other === null) ? commands.map(() => "[]") : null), ...others];
}

async function insertAlike(
  session: Session,
  statements: InsertStatements,
  commands: readonly NewCommand[],
): Promise<(Inserted | RpcError)[]> {
  const [first] = commands;
  if (first === undefined) return [];
  const rows =
    commands.length === 1
      ? await session.rows(
          statements.one,
          [...COMMON, ...CARGO].map((column) => column(first) ?? null),
        )
      : await session.rows(statements.alike, alikeValues(commands));
  return answersOf(commands, rows);
}

function alikeValues(commands: readonly NewCommand[]): Value[] {
  const [first] = commands;
  return first === undefined ? [] : [...COMMON.map((column) => column(first) ?? null), ...cargo(commands)];
}

function isList(value: Value): value is Exclude<Value, string | number | boolean | null> {
  return typeof value === "object" && value !== null;
}

function answersOf(commands: readonly NewCommand[], rows: readonly Row[]): (Inserted | RpcError)[] {
  // The type of a row is what its statement selects, here as in all of this folder.
  const [text] = (rows[0] ?? [null]) as readonly [string | null];
  if (text === null) return commands.map(({ address }) => noAddressError(address));
  const ids = text.split(",").map(Number);
  // All of them, or none: ids were taken in the order of the list, whatever order they are told in.
  ids.sort((a, b) => a - b);
  return ids.map((id) => ({ id, state: "queued", existing: false, copies: 0 }));
}

async function insertPlain(
  session: Session,
  statements: InsertStatements,
  commands: readonly NewCommand[],
): Promise<(Inserted | RpcError)[]> {
  const rows = await session.rows(statements.plain, columns(COLUMNS, commands));
  const answers: (Inserted | RpcError)[] = [];
  for (const [n, id] of rows as readonly [number, number][]) {
    answers[n - 1] = { id, state: "queued", existing: false, copies: 0 };
  }
  return commands.map((command, index) => answers[index] ?? noAddressError(command.address));
}

type SpecialRow = readonly [
  n: number,
  id: number,
  isMade: boolean,
  isPaused: boolean,
  isAlone: boolean,
  isToAll: boolean,
  agents: number,
];

/** Undefined for what has to be tried again. */
async function insertSpecial(
  session: Session,
  statements: InsertStatements,
  commands: readonly NewCommand[],
): Promise<(Inserted | RpcError | undefined)[]> {
  const rows = await session.rows(statements.special, columns(SPECIAL_COLUMNS, commands));
  const byIndex = new Map((rows as unknown as readonly SpecialRow[]).map((row) => [row[0] - 1, row]));
  const keyed = commands.flatMap((command, index) =>
    command.idempotencyKey !== undefined && byIndex.get(index)?.[2] === false ? [{ command, index }] : [],
  );
  const earlier = await findEarlier(session, statements, keyed);
  return commands.map((command, index) => {
    const row = byIndex.get(index);
    if (row === undefined) return noAddressError(command.address);
    const [, id, isMade, isPaused, isAlone, isToAll, agents] = row;
    const state = isToAll ? (agents === 0 ? "done" : "waiting") : "queued";
    if (isMade) return { id, state, existing: false, copies: isToAll ? agents : 0 };
    const found = earlier.get(index);
    if (found !== undefined) return found;
    if (isPaused) return pausedError(command.address);
    if (isAlone) return noAgentError(command.address);
    // Not written on purpose: a notification to nobody.
    if (isToAll && agents === 0 && command.notification === true) return { id, state, existing: false, copies: 0 };
    return undefined;
  });
}

async function findEarlier(
  session: Session,
  statements: InsertStatements,
  keyed: readonly { readonly command: NewCommand; readonly index: number }[],
): Promise<Map<number, Inserted | RpcError>> {
  const found = new Map<number, Inserted | RpcError>();
  if (keyed.length === 0) return found;
  const rows = await session.rows(statements.earlier, [
    keyed.map(({ command }) => command.address),
    keyed.map(({ command }) => command.idempotencyKey ?? null),
  ]);
  for (const [n, id, state, method, args, kwargs, notification, attempts, hasResult] of rows as readonly [
    number,
    number,
    CommandState,
    string,
    string,
    string,
    boolean,
    number,
    boolean,
  ][]) {
    const one = keyed[n - 1];
    if (one === undefined) continue;
    const earlier = { id, state, method, args, kwargs, notification, attempts, hasResult };
    found.set(one.index, answerFor(one.command, earlier));
  }
  return found;
}

/** A list for each column; null for one that nobody gives, which the statement takes for nothing but defaults. The first is always given. */
function columns(from: readonly Column[], commands: readonly NewCommand[]): Value[] {
  return from.map((column) => {
    const values = commands.map((command) => column(command) ?? null);
    return values.every((value) => value === null) ? null : values;
  });
}

function busyKeyError(key: string): RpcError {
  return new RpcError("UNAVAILABLE", `idempotency key "${key}" belongs to a command that is being deleted: try again`, {
    reason: "TRANSACTION_CONFLICT",
    delivered: "no",
  });
}
