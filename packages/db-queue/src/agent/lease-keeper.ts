import { RpcError } from "@rpc/core";
import { Backoff } from "@rpc/core/transport";
import type { Extended } from "../store/store-words.ts";
import { unstoredError } from "./agent-errors.ts";
import type { AgentSettings } from "./agent-options.ts";
import type { HeldCommand } from "./held-command.ts";
import { answeredWithin } from "./pauses.ts";

/** After a wake-up that may have meant any topic, cancellations are read no more often than this. */
const READ_CANCELS_MS = 250;

/** Signs of life come this often even under long leases: an agent is taken for gone after three times this. */
const LONGEST_SILENCE_MS = 15_000;

export interface LeaseOwner {
  readonly held: Iterable<HeldCommand>;
  /** Somebody wants it to end. May be said several times. */
  cancelRequested(command: HeldCommand, why: string): void;
  /** The row belongs to somebody else. */
  lost(command: HeldCommand, error: RpcError): void;
  /** The row may belong to somebody else: the database could not be reached for as long as the lease was. */
  overdue(command: HeldCommand): void;
  fenced(error: RpcError): void;
}

/** Renews what this agent holds, shows that it lives, and hears of cancellations. */
export class LeaseKeeper {
  readonly #settings: AgentSettings;
  readonly #owner: LeaseOwner;
  readonly #backoff: Backoff;
  readonly #aliveBackoff: Backoff;
  #renewTimer: unknown = undefined;
  #aliveTimer: unknown = undefined;
  #readTimer: unknown = undefined;
  #isRenewing = false;
  /** Commands whose end was asked for since they were last renewed for it. */
  #pushed = new Set<number>();
  #isTakingPushed = false;
  #isReading = false;
  #lastReadAt = Number.NEGATIVE_INFINITY;
  #isStopped = false;

  constructor(settings: AgentSettings, owner: LeaseOwner) {
    this.#settings = settings;
    this.#owner = owner;
    this.#backoff = new Backoff({ minMs: 1000, maxMs: 30_000 }, settings.random);
    this.#aliveBackoff = new Backoff({ minMs: 1000, maxMs: 30_000 }, settings.random);
  }

  /** From the subscription on. */
  start(): void {
    this.#aliveAfter(this.#aliveMs);
  }

  /** There are leases to be renewed. */
  watch(): void {
    if (this.#renewTimer === undefined) this.#renewAfter(this.#thirdMs);
  }

  /** Somebody has asked for the end of this command, which may be of this agent; why, the next renewal says. */
  cancelPushed(id: number): void {
    this.#pushed.add(id);
    if (this.#isTakingPushed || this.#isStopped) return;
    this.#isTakingPushed = true;
    // The next turn: of many that are cancelled together each is told by itself, and they are asked about together.
    setImmediate(() => void this.#takePushed());
  }

  /**
   * Any command may have been meant. Read, not renewed: a renewal is a commit, which would wake the agents of other processes in the same
   * way, and theirs this one again, for ever.
   */
  anyPushed(): void {
    if (this.#isStopped || this.#isReading || this.#readTimer !== undefined) return;
    const { clock } = this.#settings;
    const waitMs = this.#lastReadAt + READ_CANCELS_MS - clock.now();
    if (waitMs <= 0) return void this.#readCancels();
    this.#readTimer = clock.setTimeout(() => {
      this.#readTimer = undefined;
      void this.#readCancels();
    }, waitMs);
  }

  stop(): void {
    this.#isStopped = true;
    const { clock } = this.#settings;
    for (const timer of [this.#renewTimer, this.#aliveTimer, this.#readTimer]) clock.clearTimeout(timer);
  }

  get #thirdMs(): number {
    return this.#settings.leaseMs / 3;
  }

  /** Whoever looks for live agents knows nothing of their leases. */
  get #aliveMs(): number {
    return Math.min(this.#settings.leaseMs / 2, LONGEST_SILENCE_MS);
  }

  #renewAfter(ms: number): void {
    if (this.#isStopped) return;
    this.#renewTimer = this.#settings.clock.setTimeout(() => this.#renew(), ms);
  }

  #renew(): void {
    this.#renewTimer = undefined;
    const held = [...this.#owner.held].filter(isOurs);
    if (held.length === 0) return;
    this.#renewAfter(this.#thirdMs);
    if (this.#isRenewing) return;
    this.#isRenewing = true;
    void this.#extend(held).then((isDone) => {
      this.#isRenewing = false;
      if (isDone) return this.#backoff.reset();
      this.#expireOverdue(held);
      this.#settings.clock.clearTimeout(this.#renewTimer);
      return this.#renewAfter(Math.min(this.#thirdMs, this.#backoff.nextMs()));
    });
  }

  /** Never rejects. What comes while it asks is asked about next, all of it at once. */
  async #takePushed(): Promise<void> {
    while (this.#pushed.size > 0 && !this.#isStopped) {
      const ids = this.#pushed;
      this.#pushed = new Set();
      const meant = [...this.#owner.held].filter((command) => ids.has(command.claim.id) && isOurs(command));
      if (meant.length > 0) await this.#extend(meant);
    }
    this.#isTakingPushed = false;
  }

  /** Never rejects; says whether the database has answered for all of them. */
  async #extend(commands: readonly HeldCommand[]): Promise<boolean> {
    const { store, clock, leaseMs, onError } = this.#settings;
    const sentAt = clock.now();
    let results: readonly (Extended | RpcError)[];
    try {
      const leases = commands.map(({ claim: { id, token } }) => ({ id, token, leaseMs }));
      // One third has passed since the last one: when this time is over, so is the lease.
      results = await answeredWithin(store.extend(leases), (leaseMs * 2) / 3, clock);
    } catch (thrown) {
      onError(unstoredError(`${commands.length} leases could not be renewed`, RpcError.from(thrown)));
      return false;
    }
    let isAll = true;
    for (const [index, command] of commands.entries()) {
      const result = results[index];
      // What has been answered since is for the answer to find out.
      if (!isOurs(command) || result === undefined) continue;
      if (result instanceof RpcError) {
        if (result.reason === "LEASE_LOST") {
          if (command.state !== "answered") this.#owner.lost(command, result);
        } else {
          onError(unstoredError(`the lease of command ${command.claim.id} could not be renewed`, result));
          if (result.retryable) isAll = false;
        }
        continue;
      }
      command.leaseUntil = Math.max(command.leaseUntil, sentAt + leaseMs);
      if (result.cancel !== undefined) this.#owner.cancelRequested(command, result.cancel);
    }
    return isAll;
  }

  #expireOverdue(commands: readonly HeldCommand[]): void {
    const now = this.#settings.clock.now();
    for (const command of commands) {
      if (command.leaseUntil <= now && (command.state === "waiting" || command.state === "running"))
        this.#owner.overdue(command);
    }
  }

  async #readCancels(): Promise<void> {
    const { store, clock, onError, leaseMs } = this.#settings;
    const commands = [...this.#owner.held].filter(
      (command) => (command.state === "waiting" || command.state === "running") && command.interruption === undefined,
    );
    if (commands.length === 0) return;
    this.#isReading = true;
    this.#lastReadAt = clock.now();
    try {
      const claims = commands.map(({ claim: { id, token } }) => ({ id, token }));
      const reasons = await answeredWithin(store.cancellations(claims), leaseMs, clock);
      for (const [index, command] of commands.entries()) {
        const why = reasons[index];
        if (why !== undefined && isOurs(command)) this.#owner.cancelRequested(command, why);
      }
    } catch (thrown) {
      // The next renewal brings it.
      onError(unstoredError("cancellations could not be read", RpcError.from(thrown)));
    } finally {
      this.#isReading = false;
    }
  }

  #aliveAfter(ms: number): void {
    if (this.#isStopped) return;
    this.#aliveTimer = this.#settings.clock.setTimeout(() => void this.#showLife(), ms);
  }

  /** Never rejects. */
  async #showLife(): Promise<void> {
    const { store, ref, leaseMs, onError, clock } = this.#settings;
    try {
      const [error] = await answeredWithin(store.keepAlive([ref]), leaseMs, clock);
      // It may come back with its address.
      if (error?.reason === "FENCED") this.#owner.fenced(error);
      else if (error !== undefined) throw error;
      this.#aliveBackoff.reset();
      this.#aliveAfter(this.#aliveMs);
    } catch (thrown) {
      onError(unstoredError("the agent could not show that it lives", RpcError.from(thrown)));
      this.#aliveAfter(Math.min(this.#aliveMs, this.#aliveBackoff.nextMs()));
    }
  }
}

function isOurs({ state }: HeldCommand): boolean {
  return state !== "over";
}
