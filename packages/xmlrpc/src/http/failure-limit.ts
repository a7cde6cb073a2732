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

/** Counts failed proofs by address and by user. */
export class FailureLimit {
  readonly #perAddress: number;
  readonly #perUser: number;
  readonly #windowMs: number;
  readonly #clock: Clock;
  readonly #windows = new Map<string, Window>();

  constructor(limits: AuthFailureLimits, clock: Clock) {
    this.#perAddress = limits.perAddress ?? 20;
    this.#perUser = limits.perUser ?? 100;
    this.#windowMs = limits.windowMs ?? 60_000;
    this.#clock = clock;
  }

  /** How long nothing is looked at from there or for this user, in milliseconds; 0: go ahead. */
  blockedMs(address: string, user: string): number {
    return Math.max(
      this.#blocked(`a${networkOf(address)}`, this.#perAddress),
      this.#blocked(`u${user}`, this.#perUser),
    );
  }

  /** Counts a try before its outcome is known, so that many at once are no way around the limit. */
  begin(address: string, user: string): void {
    this.#add(`a${networkOf(address)}`, 1);
    this.#add(`u${user}`, 1);
  }

  /** It was no failure. */
  undo(address: string, user: string): void {
    this.#add(`a${networkOf(address)}`, -1);
    this.#add(`u${user}`, -1);
  }

  #blocked(key: string, limit: number): number {
    const window = this.#windows.get(key);
    if (window === undefined || window.count < limit || key.length === 1) return 0;
    return Math.max(0, window.until - this.#clock.now());
  }

  #add(key: string, change: number): void {
    // An unknown address (an adapter that does not tell it) or nobody's name: nothing to count by.
    if (key.length === 1) return;
    const now = this.#clock.now();
    const window = this.#windows.get(key);
    if (window !== undefined && window.until > now) {
      window.count = Math.max(0, window.count + change);
      return;
    }
    if (change < 0) return;
    this.#windows.delete(key);
    this.#windows.set(key, { count: 1, until: now + this.#windowMs });
    if (this.#windows.size <= MAX_KEYS) return;
    const oldest = this.#windows.keys().next();
    if (oldest.done !== true) this.#windows.delete(oldest.value);
  }
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
