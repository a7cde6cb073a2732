import type { CommandFilter, CommandRow, CommandState } from "../store/store-words.ts";
import type { Session, Statement, Value } from "./connections.ts";
import { commandRow, limitOf, ROW, type StoredCommand } from "./reading.ts";
import { isId } from "./settle.ts";

/** What is wanted is among so many of the newest mostly. */
const NEAR_IDS = 10_000;
/** At so many one statement looks: none takes long, whatever there is in the table. */
const STRIDE_IDS = 50_000;
/** Of one kind. Where there are more, the newest of them are found sooner by looking at all from the newest on. */
const MANY = 20_000;
const LARGEST_ID = Number.MAX_SAFE_INTEGER;

const STATES: readonly CommandState[] = ["queued", "waiting", "claimed", "done", "failed", "expired", "cancelled"];
/** Each by its place in an index that has these alone, of all addresses, in the order of their ids. */
const UNDONE: readonly CommandState[] = ["failed", "expired", "cancelled"];

interface Kind {
  readonly states: readonly CommandState[];
  readonly test: string;
  /** That of its index. Where an order is asked for, the planner takes that: else, of a tenth of the table, it would rather walk through all by id. */
  readonly order: string;
}

/** All that there can be, in kinds: each has an index that begins with the address, or is short. */
export const KINDS: readonly Kind[] = [
  {
    states: ["queued"],
    test: "c.state = 'queued' AND NOT c.delayed AND c.ordering_key IS NULL AND c.target_agent IS NULL",
    order: "c.address_id, c.priority DESC, c.id",
  },
  {
    states: ["queued"],
    test: "c.state = 'queued' AND NOT c.delayed AND (c.ordering_key IS NOT NULL OR c.target_agent IS NOT NULL)",
    order: "c.address_id, coalesce(c.target_agent, '')",
  },
  { states: ["queued"], test: "c.state = 'queued' AND c.delayed", order: "c.address_id, c.not_before" },
  { states: ["claimed"], test: "c.state = 'claimed'", order: "c.lease_until" },
  { states: ["waiting"], test: "c.state = 'waiting'", order: "c.address_id" },
  { states: ["done", ...UNDONE], test: "c.finished_at IS NOT NULL", order: "c.address_id, c.finished_at" },
];

export interface ListStatements {
  readonly newest: Statement;
  readonly make: (text: string) => Statement;
}

export function listStatements(make: (text: string) => Statement): ListStatements {
  return { newest: make("SELECT id FROM rpc_command WHERE id < $1::bigint ORDER BY id DESC LIMIT 1"), make };
}

/**
 * Newest first. Among the newest of all; then, of an address or of states that few commands have, among these; and where nothing else helps,
 * further and further back, a piece of the table at a time.
 */
export async function listCommands(
  session: Session,
  { make, newest }: ListStatements,
  filter: CommandFilter,
): Promise<CommandRow[]> {
  const { states, parentId } = filter;
  const wanted = states === undefined ? undefined : new Set(states);
  const limit = limitOf(filter.limit);
  if (wanted?.size === 0 || (parentId !== undefined && !isId(parentId))) return [];
  const before = Math.ceil(Math.max(0, Math.min(filter.beforeId ?? LARGEST_ID, LARGEST_ID))) || 0;
  const tests = new Tests(filter, wanted);

  const rowsOf = async (text: string, values: readonly Value[]): Promise<CommandRow[]> => {
    const rows = (await session.rows(make(`${ROW} WHERE ${text}`), values)) as unknown as readonly StoredCommand[];
    return rows.map(commandRow);
  };
  const byIds = async (ids: string): Promise<CommandRow[]> => {
    if (ids === "") return [];
    const rows = await rowsOf("c.id = ANY ($1::bigint[])", [ids.split(",").map(Number)]);
    return rows.toSorted((one, other) => other.id - one.id);
  };
  const between = (from: number, below: number, most: number): Promise<CommandRow[]> => {
    const { all, values } = tests;
    const n = values.length;
    const where = [...all, `c.id < $${n + 1}::bigint`, `c.id >= $${n + 2}::bigint`].join(" AND ");
    return rowsOf(`${where} ORDER BY c.id DESC LIMIT $${n + 3}::int`, [...values, below, from, most]);
  };
  const idsOf = async (text: string): Promise<readonly unknown[]> => {
    const [row = []] = await session.rows(make(text), [...tests.values, before, limit]);
    return row;
  };
  /** Where the next piece begins that has anything in it: numbers may be far apart. */
  const lastBelow = async (id: number): Promise<number> => {
    const [row] = (await session.rows(newest, [id])) as readonly (readonly [number])[];
    return row?.[0] ?? 0;
  };

  if (tests.all.length === 0) return between(Number.MIN_SAFE_INTEGER, before, limit);
  if (parentId !== undefined) {
    const [ids] = (await idsOf(tests.copies())) as readonly [string];
    return byIds(ids);
  }
  let from = Math.max(0, (await lastBelow(before)) + 1 - NEAR_IDS);
  const found = await between(from, before, limit);
  if (found.length === limit || from <= 1) return found;
  const own = tests.own();
  if (own !== undefined) {
    const [count, ids] = (await idsOf(own)) as readonly [number, string];
    if (count <= MANY) return byIds(ids);
  }
  while (found.length < limit && from > 1) {
    const below = (await lastBelow(from)) + 1;
    if (below <= 1) break;
    from = Math.max(0, below - STRIDE_IDS);
    found.push(...(await between(from, below, limit - found.length)));
  }
  return found;
}

/** What a filter asks, as text. */
class Tests {
  /** All of it. */
  readonly all: readonly string[];
  readonly values: readonly Value[];
  readonly #address: string | undefined;
  /** All but the address, and not in words that would be taken for those of an index. */
  readonly #others: readonly string[];
  readonly #wanted: ReadonlySet<CommandState> | undefined;

  constructor(filter: CommandFilter, wanted: ReadonlySet<CommandState> | undefined) {
    const tests: string[] = [];
    const values: Value[] = [];
    const must = (test: (parameter: string) => string, value: string | number | undefined): void => {
      if (value === undefined) return;
      values.push(value);
      tests.push(test(`$${values.length}`));
    };
    must((p) => `c.address_id = (SELECT id FROM rpc_address WHERE name = ${p})`, filter.address);
    this.#address = tests[0];
    must((p) => `c.method = ${p}`, filter.method);
    must((p) => `c.agent_name = ${p}`, filter.agent);
    must((p) => `c.parent_id = ${p}::bigint`, filter.parentId);
    const others = this.#address === undefined ? tests : tests.slice(1);
    // Written out, not bound: a partial index is used only where the text says that its condition holds. In one order, each once: a connection
    // keeps every text that it has been given.
    const named = STATES.filter((state) => wanted?.has(state)).map((state) => `'${state}'`);
    const isOne = (state: string): string[] => (wanted === undefined ? [] : [`${state} IN (${named.join(", ")})`]);
    this.all = [...tests, ...isOne("c.state")];
    this.#others = [...others, ...isOne("(c.state || '')")];
    this.#wanted = wanted;
    this.values = values;
  }

  /** Gives ids of a broadcast's copies. All, and then the newest: for an order the planner would make a walk through the table. */
  copies(): string {
    const where = [...(this.#address === undefined ? [] : [this.#address]), ...this.#others].join(" AND ");
    return `WITH own AS MATERIALIZED (SELECT c.id FROM rpc_command c WHERE ${where}) SELECT ${this.#newestOf("own", [])}`;
  }

  /** Gives how many the address has, or states that few commands have, and ids of what is wanted. Undefined: nothing makes it less than all. */
  own(): string | undefined {
    const states = this.#wanted;
    if (this.#address === undefined && (states === undefined || states.has("done"))) return undefined;
    const isOfAll = this.#address === undefined;
    const columns = "c.id, c.state, c.method, c.agent_name FROM rpc_command c";
    const of = this.#address ?? "c.address_id IS NOT NULL";
    const few = KINDS.filter(
      (kind) =>
        (states === undefined || kind.states.some((state) => states.has(state))) &&
        !(isOfAll && kind.states.includes("done")),
    ).map(({ test, order }) => `(SELECT ${columns} WHERE ${of} AND ${test} ORDER BY ${order} LIMIT ${MANY + 1})`);
    // Of all addresses, what has failed is in an index in the order that is asked for.
    const undone = UNDONE.filter((state) => isOfAll && states?.has(state)).map((state) => {
      const where = [`c.state = '${state}'`, ...this.#others, this.#isBefore].join(" AND ");
      return `(SELECT ${columns} WHERE ${where} ORDER BY c.id DESC LIMIT ${this.#limit})`;
    });
    return `WITH own AS MATERIALIZED (${few.length === 0 ? `SELECT ${columns} WHERE false` : few.join(" UNION ALL ")}),
found AS MATERIALIZED (${["SELECT * FROM own", ...undone].join(" UNION ALL ")})
SELECT (SELECT count(*) FROM own), ${this.#newestOf("found", this.#others)}`;
  }

  get #isBefore(): string {
    return `c.id < $${this.values.length + 1}::bigint`;
  }

  get #limit(): string {
    return `$${this.values.length + 2}::int`;
  }

  #newestOf(from: string, tests: readonly string[]): string {
    const where = [...tests, this.#isBefore].join(" AND ");
    return `array_to_string(ARRAY(SELECT c.id FROM ${from} c WHERE ${where} ORDER BY c.id DESC LIMIT ${this.#limit}), ',')`;
  }
}
