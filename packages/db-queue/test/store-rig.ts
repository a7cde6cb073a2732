import { RpcError } from "@rpc/core";
import type { QueueStore, WakeListener } from "../src/store/store.ts";
import type { Answer, Claim, CommandRow, NewCommand } from "../src/store/store-words.ts";

/** A database of its own for one test, with what the suite cannot do through the store. */
export interface StoreRig {
  /** Migrated, unless it was asked for without. */
  readonly store: QueueStore;
  /** One more on the same database, as another process would have it; the rig closes it. */
  another(): QueueStore;
  /** The database's clock goes on, or all that is stored grows older: nobody can tell which. */
  advance(ms: number): Promise<void>;
  /** Lets pass what a wake-up needs to arrive: a turn of the loop, a poll, a moment. */
  tick(): Promise<void>;
  /** A transaction on a connection of the caller's own. */
  begin(): Promise<CallersTransaction>;
  /** Reads with SQL; the text names the tables with `rpc_`. */
  query(sql: string): Promise<readonly Record<string, unknown>[]>;
  close(): Promise<void>;
}

interface CallersTransaction {
  readonly handle: unknown;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

export interface StoreSuiteOptions {
  readonly name: string;
  readonly open: (options?: { readonly migrated?: boolean }) => Promise<StoreRig>;
}

export const ADDRESS = "software_dev.buildbot:7";
export const LEASE_MS = 30_000;

/** Agents are subscribed with the incarnation `<name>-1`. */
export async function subscribed(store: QueueStore, ...agents: string[]): Promise<void> {
  await store.ensureAddress(ADDRESS);
  for (const agent of agents) await store.subscribe(agentRef(agent));
}

export function agentRef(agent: string): { address: string; agent: string; incarnation: string } {
  return { address: ADDRESS, agent, incarnation: `${agent}-1` };
}

/** Ids of new commands at the address of the suite. */
export async function inserted(store: QueueStore, ...commands: Partial<NewCommand>[]): Promise<number[]> {
  const rows = await store.insert(
    commands.map((command) => Object.assign({ address: ADDRESS, method: "build" }, command)),
  );
  return rows.map((row) => good(row).id);
}

export async function claimed(
  store: QueueStore,
  agent: string,
  { max = 100, leaseMs = LEASE_MS }: { max?: number; leaseMs?: number } = {},
): Promise<readonly Claim[]> {
  const [answer] = await store.claim([{ ...agentRef(agent), max, leaseMs }]);
  return good(answer).claims;
}

export async function claimedIds(store: QueueStore, agent: string, options?: { max?: number }): Promise<number[]> {
  return (await claimed(store, agent, options)).map((claim) => claim.id);
}

/** The one command that the agent gets now. */
export async function claimedOne(store: QueueStore, agent: string, leaseMs: number = LEASE_MS): Promise<Claim> {
  const claims = await claimed(store, agent, { max: 1, leaseMs });
  return present(claims[0]);
}

export async function settled(store: QueueStore, answer: Answer): Promise<string> {
  const [row] = await store.settle([answer]);
  return good(row).state;
}

export async function rowOf(store: QueueStore, id: number): Promise<CommandRow> {
  const [row] = await store.read([id]);
  return present(row);
}

export async function stateOf(store: QueueStore, id: number): Promise<string> {
  return (await rowOf(store, id)).state;
}

/** What an item was refused with: `CODE REASON`. */
export function refusal(item: unknown): string {
  if (!(item instanceof RpcError)) throw new Error(`expected an RpcError, got ${JSON.stringify(item)}`);
  return `${item.code} ${item.reason ?? ""}`.trim();
}

/** What a promise rejects with: `CODE REASON`. */
export async function rejection(promise: Promise<unknown>): Promise<string> {
  return refusal(
    await promise.then(
      (value) => value,
      (error: unknown) => error,
    ),
  );
}

export function good<T>(item: T | RpcError | undefined): T {
  if (item instanceof RpcError) throw item;
  return present(item);
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("expected a value, got none");
  return value;
}

let marks = 0;

/** Collects wake-ups. */
export class Listener implements WakeListener {
  readonly topics: string[] = [];
  all = 0;
  readonly #rig: StoreRig;
  readonly #store: QueueStore;

  private constructor(rig: StoreRig, store: QueueStore) {
    this.#rig = rig;
    this.#store = store;
  }

  static async on(rig: StoreRig, store: QueueStore = rig.store): Promise<Listener> {
    const listener = new Listener(rig, store);
    await store.watch(listener).ready;
    return listener;
  }

  wake(topic: string): void {
    this.topics.push(topic);
  }

  wakeAll(): void {
    this.all += 1;
  }

  /** Whether it was woken for the topic, by name or among all, since it was last asked. */
  async isWoken(topic: string): Promise<boolean> {
    await this.#everything();
    const woken = this.all > 0 || this.topics.includes(topic);
    this.topics.length = 0;
    this.all = 0;
    return woken;
  }

  /** Waits until what was committed before has been told: wake-ups keep the order of the commits. */
  async #everything(): Promise<void> {
    await this.#rig.tick();
    const before = this.all;
    // Its own: the mark of a listener in another process may still be on its way to this one.
    const mark = `mark-${++marks}`;
    await this.#store.publish([mark]);
    for (let i = 0; !this.topics.includes(mark) && this.all === before; i += 1) {
      if (i === 1000) throw new Error("the wake-up that was published never came");
      await this.#rig.tick();
    }
  }
}
