import type { Claim, CommandRow, CommandState, Extended, Inserted, Reaped, Settled } from "../src/store/store-words.ts";

export interface Held {
  readonly id: number;
  readonly token: string;
}

interface ModelCommand {
  readonly priority: number;
  readonly orderingKey: string | undefined;
  readonly targetAgent: string | undefined;
  readonly maxAttempts: number;
  readonly delayMs: number;
  readonly expiresMs: number | undefined;
  readonly broadcast: boolean;
  readonly notification: boolean;
}

interface Row {
  readonly id: number;
  readonly parentId: number | undefined;
  readonly command: ModelCommand;
  readonly targetAgent: string | undefined;
  readonly expiresAt: number | undefined;
  state: CommandState;
  attempts: number;
  notBeforeAt: number;
  leaseUntilAt: number | undefined;
  token: string | undefined;
  agent: string | undefined;
  isCancelRequested: boolean;
}

/** What is compared of each row. */
type View = Pick<
  CommandRow,
  "id" | "parentId" | "state" | "attempts" | "notBeforeAt" | "leaseUntilAt" | "agent" | "targetAgent"
>;

/** A queue as plain as it can be said: what a store must do, without a database. */
export class StoreModel {
  now: number;
  paused = false;
  #rows: Row[] = [];
  #lastId = 0;
  readonly #claims: Held[] = [];
  readonly #incarnations: Map<string, number>;

  constructor(now: number, agents: readonly string[]) {
    this.now = now;
    this.#incarnations = new Map(agents.map((agent) => [agent, 1]));
  }

  incarnation(agent: string): string {
    return String(this.#incarnations.get(agent));
  }

  anyClaim(pick: number): Held | undefined {
    return this.#claims[pick % Math.max(1, this.#claims.length)];
  }

  anyId(pick: number): number | undefined {
    return this.#lastId === 0 ? undefined : 1 + (pick % this.#lastId);
  }

  view(row: View): View {
    const { id, parentId, state, attempts, notBeforeAt, leaseUntilAt, agent, targetAgent } = row;
    return { id, parentId, state, attempts, notBeforeAt, leaseUntilAt, agent, targetAgent };
  }

  rows(): View[] {
    return this.#rows.map((row) => this.view(row));
  }

  insert(command: ModelCommand): Inserted {
    const agents = command.broadcast ? [...this.#incarnations.keys()] : [];
    const state = command.broadcast ? "waiting" : "queued";
    const parent = this.#add(command, state, undefined, command.targetAgent);
    for (const agent of agents) this.#add(command, "queued", parent.id, agent);
    return { id: parent.id, state, existing: false, copies: agents.length };
  }

  claim(
    agent: string,
    max: number,
    leaseMs: number,
    tokens: readonly Claim[],
  ): { claims: { id: number; attempt: number }[]; nextDueMs: number | undefined } {
    if (this.paused) return { claims: [], nextDueMs: undefined };
    const given = this.#rows
      .filter((row) => row.state === "queued" && row.notBeforeAt <= this.now && !this.#isExpired(row))
      .filter((row) => (row.targetAgent ?? agent) === agent)
      .filter((row) => !this.#rows.some((other) => this.#isBefore(other, row)))
      .toSorted((a, b) => b.command.priority - a.command.priority || a.id - b.id)
      .slice(0, max);
    for (const row of given) {
      // Tokens are the store's to make.
      const token = tokens.find((claim) => claim.id === row.id)?.token ?? "";
      Object.assign(row, {
        state: "claimed",
        attempts: row.attempts + 1,
        leaseUntilAt: this.now + leaseMs,
        token,
        agent,
      });
      this.#claims.push({ id: row.id, token });
    }
    const delayed = this.#rows.filter((row) => row.state === "queued" && row.notBeforeAt > this.now);
    const next = Math.min(...delayed.map((row) => row.notBeforeAt - this.now));
    return {
      claims: given.map((row) => ({ id: row.id, attempt: row.attempts })),
      nextDueMs: given.length >= max || next === Infinity ? undefined : next,
    };
  }

  settle(held: Held, outcome: string, retryDelayMs: number | undefined): Settled | undefined {
    const row = this.#held(held);
    if (row === undefined) return undefined;
    if (outcome === "released") {
      if (row.isCancelRequested) return this.#end(row, "cancelled");
      row.attempts -= 1;
      return this.#again(row, 0, row.notBeforeAt);
    }
    if (outcome === "again" && this.#canRunAgain(row)) {
      const delayMs = retryDelayMs ?? this.#backOff(row);
      return this.#again(row, delayMs, this.now + delayMs);
    }
    return this.#end(row, outcome === "again" ? "failed" : (outcome as CommandState));
  }

  extend(held: Held, leaseMs: number): Extended | undefined {
    const row = this.#held(held);
    if (row === undefined) return undefined;
    row.leaseUntilAt = this.now + leaseMs;
    return { leaseUntilAt: row.leaseUntilAt, cancel: row.isCancelRequested ? "why" : undefined };
  }

  cancel(id: number): CommandState | undefined {
    const row = this.#rows.find((each) => each.id === id);
    if (row === undefined) return undefined;
    const isOpen = row.state === "queued" || row.state === "claimed" || row.state === "waiting";
    if (isOpen) row.isCancelRequested = true;
    if (row.state === "queued") this.#end(row, "cancelled");
    if (row.state === "waiting") {
      for (const copy of this.#rows.filter((each) => each.parentId === id)) this.cancel(copy.id);
    }
    return row.state;
  }

  reap(): Reaped {
    const count = { expired: 0, requeued: 0, failed: 0, cancelled: 0 };
    for (const row of this.#rows) {
      if (row.state !== "queued" || !this.#isExpired(row)) continue;
      this.#end(row, "expired");
      count.expired += 1;
    }
    for (const row of this.#rows) {
      if (row.state !== "claimed" || (row.leaseUntilAt ?? 0) > this.now) continue;
      if (this.#canRunAgain(row)) {
        this.#again(row, 0, this.now + this.#backOff(row));
        count.requeued += 1;
      } else if (row.isCancelRequested) {
        this.#end(row, "cancelled");
        count.cancelled += 1;
      } else {
        this.#end(row, "failed");
        count.failed += 1;
      }
    }
    return { ...count, more: false };
  }

  resubscribe(agent: string): string {
    this.#incarnations.set(agent, (this.#incarnations.get(agent) ?? 0) + 1);
    for (const row of this.#rows) {
      if (row.state !== "claimed" || row.agent !== agent || (row.leaseUntilAt ?? 0) <= this.now) continue;
      row.leaseUntilAt = this.now;
      row.token = undefined;
    }
    return this.incarnation(agent);
  }

  #add(command: ModelCommand, state: CommandState, parentId: number | undefined, targetAgent: string | undefined): Row {
    this.#lastId += 1;
    const row: Row = {
      id: this.#lastId,
      parentId,
      command: parentId === undefined ? command : { ...command, notification: false },
      targetAgent,
      expiresAt: command.expiresMs === undefined ? undefined : this.now + command.expiresMs,
      state,
      attempts: 0,
      notBeforeAt: this.now + command.delayMs,
      leaseUntilAt: undefined,
      token: undefined,
      agent: undefined,
      isCancelRequested: false,
    };
    this.#rows.push(row);
    return row;
  }

  #held({ id, token }: Held): Row | undefined {
    return this.#rows.find((row) => row.id === id && row.state === "claimed" && row.token === token);
  }

  #isExpired(row: Row): boolean {
    return row.expiresAt !== undefined && row.expiresAt <= this.now;
  }

  /** Whether `other` keeps `row` from starting, for the sake of their key. */
  #isBefore(other: Row, row: Row): boolean {
    const key = row.command.orderingKey;
    if (key === undefined || other.command.orderingKey !== key || other.targetAgent !== row.targetAgent) return false;
    return other.state === "claimed" || (other.state === "queued" && other.id < row.id && !this.#isExpired(other));
  }

  #canRunAgain(row: Row): boolean {
    return !row.isCancelRequested && row.attempts < row.command.maxAttempts && !this.#isExpired(row);
  }

  #backOff(row: Row): number {
    return 1000 * 2 ** (row.attempts - 1);
  }

  #again(row: Row, delayMs: number, notBeforeAt: number): Settled {
    Object.assign(row, { state: "queued", notBeforeAt, leaseUntilAt: undefined, token: undefined });
    return { state: "queued", delayMs };
  }

  #end(row: Row, state: CommandState): Settled {
    row.state = state;
    row.leaseUntilAt = undefined;
    if (row.command.notification) this.#rows = this.#rows.filter((each) => each !== row && each.parentId !== row.id);
    const parent = this.#rows.find((each) => each.id === row.parentId && each.state === "waiting");
    const isOpen = (copy: Row): boolean => copy.state === "queued" || copy.state === "claimed";
    if (parent !== undefined && !this.#rows.some((copy) => copy.parentId === parent.id && isOpen(copy))) {
      this.#end(parent, parent.isCancelRequested ? "cancelled" : "done");
    }
    return { state, delayMs: undefined };
  }
}
