import type { SQLInputValue } from "node:sqlite";
import type { CommandFilter, CommandRow, CommandState } from "../store/store-words.ts";
import { commandRow, readCommand, ROW, type StoredCommand } from "./reading.ts";
import type { Work } from "./work.ts";

const MAX_ROWS = 1000;
/** What is wanted is among so many of the newest mostly. */
const NEAR_IDS = 10_000;
/** At so many it looks in one turn of the event loop. */
const STRIDE_IDS = 20_000;
/** Of one kind. Where there are more, the newest of them are found sooner by looking at all from the newest on. */
const MANY = 20_000;
const LARGEST_ID = Number.MAX_SAFE_INTEGER;

const STATES: readonly CommandState[] = ["queued", "waiting", "claimed", "done", "failed", "expired", "cancelled"];
/** Each by its place in an index that has these alone, of all addresses, in the order of their ids. */
const UNDONE: readonly CommandState[] = ["failed", "expired", "cancelled"];

interface Kind {
  readonly states: readonly CommandState[];
  readonly test: string;
  readonly index: string;
}

/** All that there can be, in kinds: each has an index that begins with the address, or is short. */
export const KINDS: readonly Kind[] = [
  {
    states: ["queued"],
    test: "c.state = 'queued' AND c.delayed = 0 AND c.ordering_key IS NULL AND c.target_agent IS NULL",
    index: "rpc_command_ready",
  },
  {
    states: ["queued"],
    test: "c.state = 'queued' AND c.delayed = 0 AND (c.ordering_key IS NOT NULL OR c.target_agent IS NOT NULL)",
    index: "rpc_command_special",
  },
  { states: ["queued"], test: "c.state = 'queued' AND c.delayed = 1", index: "rpc_command_delayed" },
  { states: ["claimed"], test: "c.state = 'claimed' AND c.lease_until IS NOT NULL", index: "rpc_command_lease" },
  { states: ["waiting"], test: "c.state = 'waiting'", index: "rpc_command_waiting" },
  { states: ["done", ...UNDONE], test: "c.finished_at IS NOT NULL", index: "rpc_command_ended" },
];

/** A look, in a turn of its own. */
type Read = <T>(look: (work: Work) => T) => Promise<T>;

/**
 * Newest first. Among the newest of all; then, of an address or of states that few commands have, among these; and where nothing else helps,
 * further and further back, a piece of the table at a time, between which others have their turn.
 */
export async function listCommands(read: Read, filter: CommandFilter): Promise<CommandRow[]> {
  const looking = new Looking(filter);
  const found = await read((work) => looking.first(work));
  while (!looking.isDone) found.push(...(await read((work) => looking.next(work))));
  return found;
}

class Looking {
  isDone = false;
  readonly #filter: CommandFilter;
  readonly #wanted: ReadonlySet<CommandState> | undefined;
  readonly #before: number;
  /** All that is asked for; of that, what is not the address. */
  readonly #tests: string[] = [];
  readonly #others: string[] = [];
  readonly #values: SQLInputValue[] = [];
  readonly #otherValues: SQLInputValue[] = [];
  #left: number;
  /** Everything from here on has been looked at. */
  #from = 0;

  constructor(filter: CommandFilter) {
    const { address, states, method, agent, parentId, beforeId, limit } = filter;
    this.#filter = filter;
    this.#wanted = states === undefined ? undefined : new Set(states.filter((state) => STATES.includes(state)));
    this.#before = beforeId ?? LARGEST_ID;
    this.#left = Math.min(Math.max(1, Math.floor(limit ?? 100)), MAX_ROWS);
    if (address !== undefined) {
      this.#tests.push("c.address_id = (SELECT id FROM rpc_address WHERE name = ?)");
      this.#values.push(address);
    }
    for (const [test, value] of [
      ["c.method = ?", method],
      ["c.agent_name = ?", agent],
      ["c.parent_id = ?", parentId],
    ] as const) {
      if (value === undefined) continue;
      this.#others.push(test);
      this.#otherValues.push(value);
    }
    if (this.#wanted !== undefined) {
      // Written out, not bound, in one order. The plus keeps it from being looked up in an index of states, which has those of all addresses.
      const names = STATES.filter((state) => this.#wanted?.has(state)).map((state) => `'${state}'`);
      this.#others.push(`+c.state IN (${names.join(", ")})`);
    }
    this.#tests.push(...this.#others);
    this.#values.push(...this.#otherValues);
  }

  first(work: Work): CommandRow[] {
    const { address, parentId } = this.#filter;
    if (this.#wanted?.size === 0) return this.#done([]);
    if (this.#tests.length === 0 || parentId !== undefined)
      return this.#done(this.#found(work, ["c.id < ?"], [this.#before]));
    const newest = lastBelow(work, this.#before);
    this.#from = newest + 1 - NEAR_IDS;
    const near = this.#between(work, this.#from, this.#before);
    if (this.isDone) return near;
    const isFew = this.#wanted !== undefined && !this.#wanted.has("done");
    const own = address !== undefined || isFew ? this.#own(work, near.length + this.#left) : undefined;
    return own === undefined ? near : this.#done(own);
  }

  next(work: Work): CommandRow[] {
    // Where the next piece begins that has anything in it: numbers may be far apart.
    const below = lastBelow(work, this.#from) + 1;
    this.#from = below - STRIDE_IDS;
    return below <= 1 ? this.#done([]) : this.#between(work, this.#from, below);
  }

  #done(rows: CommandRow[]): CommandRow[] {
    this.isDone = true;
    return rows;
  }

  #found(work: Work, tests: readonly string[], values: readonly SQLInputValue[]): CommandRow[] {
    const where = [...this.#tests, ...tests].join(" AND ");
    const statement = work.connection.once(`${ROW} WHERE ${where} ORDER BY c.id DESC LIMIT ?`);
    return work.connection.allOf<StoredCommand>(statement, ...this.#values, ...values, this.#left).map(commandRow);
  }

  #between(work: Work, from: number, below: number): CommandRow[] {
    const rows = this.#found(work, ["c.id < ?", "c.id >= ?"], [below, from]);
    this.#left -= rows.length;
    if (this.#left === 0 || from <= 1) this.isDone = true;
    return rows;
  }

  /** The newest of all that the address has, or of states that few commands have. Undefined: there are too many of a kind. */
  #own(work: Work, limit: number): CommandRow[] | undefined {
    const { connection } = work;
    const { address } = this.#filter;
    const isOfAll = address === undefined;
    const where = (tests: readonly string[]): string => tests.filter((test) => test !== "").join(" AND ");
    const ask = <Row>(sql: string, values: readonly SQLInputValue[]): Row[] =>
      connection.allOf<Row>(connection.once(sql), ...values);
    const ids: number[] = [];
    const take = (sql: string, values: readonly SQLInputValue[]): void => {
      for (const { id } of ask<{ readonly id: number }>(sql, values)) ids.push(id);
    };
    for (const { states, test, index } of KINDS) {
      if (this.#wanted !== undefined && !states.some((state) => this.#wanted?.has(state))) continue;
      if (isOfAll && states.includes("done")) continue;
      const own = `FROM rpc_command c INDEXED BY ${index} WHERE ${where([test, isOfAll ? "" : (this.#tests[0] ?? "")])}`;
      const of = isOfAll ? [] : [address];
      const counted = `SELECT count(*) AS count FROM (SELECT 1 ${own} LIMIT ${MANY + 1})`;
      const [{ count } = { count: 0 }] = ask<{ readonly count: number }>(counted, of);
      if (count > MANY) return undefined;
      if (count > 0)
        take(`SELECT c.id AS id ${own} AND ${where([...this.#others, "c.id < ?"])} ORDER BY c.id DESC LIMIT ?`, [
          ...of,
          ...this.#otherValues,
          this.#before,
          limit,
        ]);
    }
    for (const state of isOfAll ? UNDONE.filter((each) => this.#wanted?.has(each)) : []) {
      const test = `c.state = '${state}' AND c.finished_at IS NOT NULL AND c.state <> 'done'`;
      take(
        `SELECT c.id AS id FROM rpc_command c INDEXED BY rpc_command_undone
          WHERE ${where([test, ...this.#others, "c.id < ?"])} ORDER BY c.id DESC LIMIT ?`,
        [...this.#otherValues, this.#before, limit],
      );
    }
    const newest = ids.toSorted((one, other) => other - one).slice(0, limit);
    return newest.flatMap((id) => readCommand(work, id) ?? []);
  }
}

function lastBelow(work: Work, id: number): number {
  return (
    work.connection.get<{ readonly id: number }>("SELECT id FROM rpc_command WHERE id < ? ORDER BY id DESC LIMIT 1", id)
      ?.id ?? 0
  );
}
