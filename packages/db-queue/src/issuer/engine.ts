import { type Clock, RpcError } from "@rpc/core";
import { DeadlineSweep, type Expiring } from "@rpc/core/transport";
import type { QueueStore } from "../store/store.ts";
import type { Cancelled, CommandState, Inserted, Reaped } from "../store/store-words.ts";
import { type Insertion, Inserts } from "./inserts.ts";
import type { CommandSettings } from "./options.ts";
import { Outcomes } from "./outcomes.ts";
import { type Reaper, type ReaperOptions, reaperOf } from "./reaper.ts";

export interface EngineSettings extends CommandSettings {
  readonly clock: Clock;
  readonly random: () => number;
  readonly pollMs: number;
  readonly maxResultBytes: number;
  readonly maxUnsent: number;
  readonly reaper: ReaperOptions | false;
}

/** What happens in a queue of this process. */
export interface DbQueueEvents {
  /** A command is in the table. */
  sent: [command: { readonly id: number; readonly address: string; readonly method: string }];
  /** An outcome has come that somebody here waited for. */
  settled: [outcome: { readonly id: number; readonly state: CommandState }];
  /** This process's reaper has ended something, or given it back. */
  reaped: [report: Reaped];
  /** What belongs to no call: a poll that failed, a cancellation that did not reach the database. It is tried again where that helps. */
  error: [error: RpcError];
}

type Listeners = { readonly [Name in keyof DbQueueEvents]: Set<(...values: DbQueueEvents[Name]) => void> };

interface CancelRequest {
  readonly id: number;
  readonly reason: string | undefined;
  readonly resolve: (state: CommandState) => void;
  readonly reject: (error: RpcError) => void;
}

/** What all clients, transports and handles of a queue share. */
export class Engine {
  readonly store: QueueStore;
  readonly settings: EngineSettings;
  readonly outcomes: Outcomes;
  /** What has been counted since the queue was made. */
  readonly counts = { sent: 0, refused: 0, done: 0, failed: 0, expired: 0, cancelled: 0 };
  readonly #inserts: Inserts;
  readonly #reaper: Reaper | undefined;
  readonly #sweep: DeadlineSweep;
  readonly #expiring = new Set<Expiring>();
  readonly #listeners: Listeners = { sent: new Set(), settled: new Set(), reaped: new Set(), error: new Set() };
  #reaping: Promise<void> | undefined = undefined;
  #cancels: CancelRequest[] = [];
  #cancelling = 0;
  #refusal: RpcError | undefined = undefined;
  #closed: Promise<void> | undefined = undefined;
  #idle: PromiseWithResolvers<void> | undefined = undefined;

  constructor(store: QueueStore, settings: EngineSettings) {
    this.store = store;
    this.settings = settings;
    const { clock, random, pollMs, reaper } = settings;
    const report = (error: RpcError): void => this.emit("error", error);
    this.#reaper = reaper === false ? undefined : reaperOf(store, { ...reaper, clock, random });
    const user = { reaped: (done: Reaped) => this.emit("reaped", done), failed: report };
    const busy = (): (() => void) => {
      const stop = this.#reaper?.start(user);
      return () => void (this.#reaping = stop?.());
    };
    this.outcomes = new Outcomes(store, { clock, random, pollMs, report, busy });
    this.#inserts = new Inserts(store, this.outcomes, settings);
    this.#sweep = new DeadlineSweep(clock, () => this.#expiring);
  }

  on<Name extends keyof DbQueueEvents>(event: Name, listen: (...values: DbQueueEvents[Name]) => void): () => void {
    const listeners = this.#listeners[event];
    listeners.add(listen);
    return () => void listeners.delete(listen);
  }

  emit<Name extends keyof DbQueueEvents>(event: Name, ...values: DbQueueEvents[Name]): void {
    for (const listen of this.#listeners[event]) {
      try {
        listen(...values);
      } catch {
        // A listener's fault is its own.
      }
    }
  }

  /** Why no call can be made any more. */
  get refusal(): RpcError | undefined {
    return this.#refusal;
  }

  /** What is told to whoever waits for an outcome when nobody here does any more. */
  get abandonment(): RpcError | undefined {
    if (this.#refusal === undefined) return undefined;
    const message = `${this.#refusal.message}; the command goes on, and its outcome can be had by handle(id)`;
    return new RpcError("UNAVAILABLE", message, { reason: "CLOSED", delivered: "unknown", retryable: false });
  }

  get waitingInserts(): number {
    return this.#inserts.count;
  }

  insert(insertion: Insertion): void {
    this.#inserts.add(insertion);
  }

  sent({ id, existing }: Inserted, address: string, method: string): void {
    if (existing) return;
    this.counts.sent += 1;
    if (this.#listeners.sent.size > 0) this.emit("sent", { id, address, method });
  }

  settled(id: number, state: CommandState): void {
    if (state === "done" || state === "failed" || state === "expired" || state === "cancelled") this.counts[state] += 1;
    if (this.#listeners.settled.size > 0) this.emit("settled", { id, state });
  }

  /** Calls `expire` when its `deadline` has come, until it is let go. */
  expect(expiring: Expiring): void {
    if (expiring.deadline === undefined) return;
    this.#expiring.add(expiring);
    this.#sweep.watch(expiring.deadline);
  }

  letGo(expiring: Expiring): void {
    this.#expiring.delete(expiring);
    if (this.#expiring.size === 0 && this.#closed !== undefined) this.#sweep.stop();
  }

  /** A command must have expired by now, if nobody has taken it. */
  expired(id: number): void {
    this.#reaper?.now();
    this.outcomes.look(id);
  }

  /** Asks for the end of a command. Rejects NOT_FOUND, or when the database cannot be reached. */
  cancel(id: number, reason: string | undefined): Promise<CommandState> {
    return new Promise((resolve, reject) => {
      if (this.#cancels.length === 0) setImmediate(() => void this.#sendCancels());
      this.#cancels.push({ id, reason, resolve, reject });
    });
  }

  /** The same where nobody waits to hear of it. */
  cancelQuietly(id: number, reason: string): void {
    this.cancel(id, reason.slice(0, 1000).toWellFormed()).catch((thrown: unknown) => {
      const error = RpcError.from(thrown);
      if (error.code !== "NOT_FOUND") this.emit("error", error);
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #sendCancels(): Promise<void> {
    const all = this.#cancels.splice(0);
    this.#cancelling += 1;
    try {
      const results = await this.store.cancel(all.map(({ id, reason }) => ({ id, reason })));
      for (const [index, { resolve, reject }] of all.entries()) {
        const result: Cancelled | RpcError | undefined = results[index];
        if (result instanceof RpcError) reject(result);
        else resolve(result?.state ?? "claimed");
      }
    } catch (thrown) {
      for (const { reject } of all) reject(RpcError.from(thrown));
    } finally {
      this.#cancelling -= 1;
      if (this.#cancelling === 0 && this.#cancels.length === 0) this.#idle?.resolve();
    }
  }

  async #close(): Promise<void> {
    const message = `the queue on ${this.store.endpoint} was closed in this process`;
    this.#refusal = new RpcError("FAILED_PRECONDITION", message, { reason: "CLOSED", delivered: "no" });
    await this.#inserts.idle();
    if (this.#cancels.length > 0 || this.#cancelling > 0) {
      this.#idle = Promise.withResolvers();
      await this.#idle.promise;
    }
    this.outcomes.close(this.abandonment ?? this.#refusal);
    this.#sweep.stop();
    await this.#reaping;
  }
}
