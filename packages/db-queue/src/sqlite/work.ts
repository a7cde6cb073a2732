import type { Connection } from "./connection.ts";
import { commandTopic, resultTopic } from "../store/store.ts";
import type { Outcome } from "../store/store-words.ts";

/** What verbs of one transaction share. */
export class Work {
  readonly connection: Connection;
  /** To be woken when it has committed; with what the command of a result has come to. */
  readonly topics: Map<string, Outcome | undefined> = new Map();
  readonly random: () => number;
  readonly #wallClock: () => number;

  constructor(connection: Connection, outside: { readonly wallClock: () => number; readonly random: () => number }) {
    this.connection = connection;
    this.#wallClock = outside.wallClock;
    this.random = outside.random;
  }

  /** Whole milliseconds since 1970. */
  now(): number {
    return Math.floor(this.#wallClock());
  }

  isInTransaction(): boolean {
    // Node before 22.16 cannot say, whatever the type does; then the commit will.
    const isIn: boolean | undefined = this.connection.database.isTransaction;
    return isIn ?? true;
  }

  wakeAgents(address: string): void {
    this.topics.set(commandTopic(address), undefined);
  }

  wakeAgentsOf(addressId: number): void {
    const row = this.connection.get<{ name: string }>("SELECT name FROM rpc_address WHERE id = ?", addressId);
    if (row !== undefined) this.wakeAgents(row.name);
  }

  wakeIssuers(id: number, outcome?: Outcome): void {
    this.topics.set(resultTopic(id), outcome);
  }

  /** Maps keep the order of insertion: what came after the mark is of the verb that failed. */
  forgetTopicsAfter(mark: number): void {
    for (const topic of [...this.topics.keys()].slice(mark)) this.topics.delete(topic);
  }
}
