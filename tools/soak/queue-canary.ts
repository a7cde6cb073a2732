import { existsSync, readFileSync } from "node:fs";
import { listening } from "../../packages/db-queue/test/chaos-sql.ts";

/** Times the ground itself, all the while, without the queue: what it cannot do at a moment, nobody can. */
export interface Canary {
  /**
   * How much of the time between these instants of `performance.now()` went by in rounds that took longer than `STALL_MS`, or was taken from one
   * of the CPUs by the host of a virtual machine.
   */
  stalledMs(from: number, until: number): number;
  /** The longest round of all, in ms. */
  readonly longestMs: number;
  close(): Promise<void>;
}

/** A round takes one to five ms when nothing holds it up. */
const STALL_MS = 20;
const PAUSE_MS = 1;
/** Linux counts in them: `USER_HZ` is 100 on all that Node runs on. */
const TICK_MS = 10;

class Rounds implements Canary {
  longestMs = 0;
  #isClosed = false;
  readonly #stalls: { readonly from: number; readonly until: number }[] = [];
  readonly #over: Promise<void>;
  readonly #end: () => Promise<void>;

  constructor(round: () => Promise<unknown>, end: () => Promise<void>) {
    this.#end = end;
    this.#over = this.#run(round);
  }

  stalledMs(from: number, until: number): number {
    let ms = 0;
    for (const stall of this.#stalls) ms += Math.max(0, Math.min(until, stall.until) - Math.max(from, stall.from));
    return ms;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#over;
    await this.#end();
  }

  /** A stall between two rounds would be nobody's: each begins when the one before is over. */
  async #run(round: () => Promise<unknown>): Promise<void> {
    let from = performance.now();
    let ticks = stolenTicks();
    while (!this.#isClosed) {
      await round();
      await pause();
      const until = performance.now();
      this.longestMs = Math.max(this.longestMs, until - from);
      const ticksNow = stolenTicks();
      // Counted when the CPU is given back: the time lies before.
      const stolenMs = (ticksNow - ticks) * TICK_MS;
      if (stolenMs > 0 || until - from > STALL_MS)
        this.#stalls.push({ from: Math.max(this.#stalls.at(-1)?.until ?? 0, Math.min(from, until - stolenMs)), until });
      from = until;
      ticks = ticksNow;
    }
  }
}

/** A timer of this process. */
export function watchedProcess(): Canary {
  return new Rounds(
    () => Promise.resolve(),
    () => Promise.resolve(),
  );
}

/** A bare NOTIFY: its commit on one connection, its arrival at another. */
export async function watchedPostgres(url: string): Promise<Canary> {
  const { notified, end } = await listening(url, "canary");
  return new Rounds(notified, end);
}

/** Of all CPUs together, since the machine's start; 0 where nobody counts them. */
function stolenTicks(): number {
  if (!existsSync("/proc/stat")) return 0;
  const [, , , , , , , , stolen = "0"] = readFileSync("/proc/stat", "latin1").split(/\s+/u, 9);
  return Number(stolen);
}

function pause(): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, PAUSE_MS));
}
