import { isIPv6 } from "node:net";
import type { Clock } from "@rpc/core";

/** How many wrong credentials are looked at before the rest is refused unread. */
export interface AuthFailureLimits {
  /** Of one address (of one /64 network, for IPv6) in a window. Default: 20. */
  readonly perAddress?: number | undefined;
  /** Of one user from anywhere in a window; also keeps out who knows the password, so it is higher. Default: 100. */
  readonly perUser?: number | undefined;
  /** Length of a window. Default: 60,000. */
  readonly windowMs?: number | undefined;
}

interface Window {
  count: number;
  readonly until: number;
}

/** Keys that are counted at once; beyond them the oldest are forgotten. */
const MAX_KEYS = 10_000;

/** Proofs that wait for others at once; more are refused. */
const MAX_WAITING = 1_000;

/** Counts failed proofs by address and by user. */
export class FailureLimit {
  readonly #perAddress: number;
  readonly #perUser: number;
  readonly #windowMs: number;
  readonly #clock: Clock;
  readonly #windows = new Map<string, Window>();
  /** Proofs whose outcome is not known yet: each may become a failure. */
  readonly #open = new Map<string, Window>();
  #waiting: (() => void)[] = [];

  constructor(limits: AuthFailureLimits, clock: Clock) {
    this.#perAddress = limits.perAddress ?? 20;
    this.#perUser = limits.perUser ?? 100;
    this.#windowMs = limits.windowMs ?? 60_000;
    this.#clock = clock;
  }

  /** How long nothing is looked at from there or for this user, in milliseconds; 0: go ahead, unless there is something to {@link wait} for. */
  blockedMs(address: string, user: string): number {
    return Math.max(
      this.#blocked(addressKey(address), this.#perAddress),
      this.#blocked(userKey(user), this.#perUser),
      // Nobody is made to wait who would only fill the memory.
      this.#waiting.length >= MAX_WAITING && this.#isFull(address, user) ? 1_000 : 0,
    );
  }

  /**
   * Many proofs at once are no way around the limit: what could go beyond it waits until one of those under way has ended, and then looks
   * again. Undefined: there is nothing to wait for.
   */
  wait(address: string, user: string): Promise<void> | undefined {
    return this.#isFull(address, user) ? new Promise((resolve) => this.#waiting.push(resolve)) : undefined;
  }

  begin(address: string, user: string): void {
    const until = this.#clock.now() + this.#windowMs;
    for (const key of keysOf(address, user)) {
      const open = this.#open.get(key);
      if (open !== undefined && isLive(open, this.#clock)) open.count += 1;
      // Those that have not ended in a whole window never may: nobody is to wait for them.
      else this.#open.set(key, { count: 1, until });
    }
  }

  /** The outcome of what has begun. */
  end(address: string, user: string, isFailure: boolean): void {
    for (const key of keysOf(address, user)) {
      const open = this.#open.get(key);
      if (open !== undefined && open.count > 1) open.count -= 1;
      else this.#open.delete(key);
      if (isFailure) this.#count(key);
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const look of waiting) look();
  }

  #blocked(key: string, limit: number): number {
    const window = this.#windows.get(key);
    if (window === undefined || window.count < limit || key.length === 1) return 0;
    return Math.max(0, window.until - this.#clock.now());
  }

  #isFull(address: string, user: string): boolean {
    return this.#mayExceed(addressKey(address), this.#perAddress) || this.#mayExceed(userKey(user), this.#perUser);
  }

  #mayExceed(key: string, limit: number): boolean {
    const open = this.#open.get(key);
    if (open === undefined || !isLive(open, this.#clock)) return false;
    const window = this.#windows.get(key);
    const failed = window !== undefined && isLive(window, this.#clock) ? window.count : 0;
    return failed + open.count >= limit;
  }

  #count(key: string): void {
    const now = this.#clock.now();
    const window = this.#windows.get(key);
    if (window !== undefined && window.until > now) {
      window.count += 1;
      return;
    }
    this.#windows.delete(key);
    this.#windows.set(key, { count: 1, until: now + this.#windowMs });
    if (this.#windows.size <= MAX_KEYS) return;
    const oldest = this.#windows.keys().next();
    if (oldest.done !== true) this.#windows.delete(oldest.value);
  }
}

function isLive({ until }: Window, clock: Clock): boolean {
  return until > clock.now();
}

function addressKey(address: string): string {
  return `a${networkOf(address)}`;
}

function userKey(user: string): string {
  return `u${user}`;
}

/** An unknown address (an adapter that does not tell it) and nobody's name are nothing to count by. */
function keysOf(address: string, user: string): string[] {
  return [addressKey(address), userKey(user)].filter((key) => key.length > 1);
}

/** The address in an endpoint, whose port changes with every connection: `http://1.2.3.4:5678` → `1.2.3.4`; empty where it is not known. */
export function addressIn(endpoint: string): string {
  const address = /^[a-z]+:\/\/(?:\[([^\]]*)\]|([^:/]*))/
    .exec(endpoint)
    ?.slice(1)
    .find((part) => part !== undefined);
  return address === undefined || address === "?" ? "" : address;
}

/** Whoever has one IPv6 address usually has 2^64 of them. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = "", tail] = (address.split("%")[0] ?? "").toLowerCase().split("::");
  const first = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const last = tail === "" ? [] : tail.split(":");
    while (first.length + last.length < 8 && first.length < 4) first.push("0");
    first.push(...last);
  }
  return first
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
