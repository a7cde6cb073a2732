import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import type { Clock } from "@rpc/core";
import type { ProcessGroups } from "./process-groups.ts";
import { isGroupAlive } from "./processes.ts";

export interface ProcessOptions {
  /** A list is run as it is, a text by `/bin/sh`. */
  readonly command: string | readonly string[];
  readonly cwd: string;
  /** All of it: nothing of the bot's is added, but the marks of `groups`. */
  readonly env: Readonly<Record<string, string>>;
  /** Without output for so long it is stopped. 0: never. */
  readonly noOutputMs: number;
  /** 0: as long as it takes. */
  readonly maxMs: number;
  /** From SIGTERM to SIGKILL. */
  readonly killAfterMs: number;
  readonly clock: Clock;
  /** Where it is noted while it lives, for a bot that comes after this one. */
  readonly groups?: ProcessGroups | undefined;
  /** Stops it. */
  readonly signal: AbortSignal;
  /** Gets its output. A promise, which must not reject: nothing more is read of it until then, and silence does not count. */
  readonly write: (stream: "out" | "err", bytes: Uint8Array) => Promise<void> | undefined;
}

/** How a process has ended. */
export type ProcessEnd =
  | { readonly kind: "exit"; readonly code: number }
  | { readonly kind: "killed"; readonly by: string }
  | { readonly kind: "stopped"; readonly why: "no output" | "too long" | "signal" }
  | { readonly kind: "unstarted"; readonly why: string };

/** What a process that has ended by itself leaves behind has so long to end as well; then its pipes are closed, whoever holds them. */
const ORPHANS_MS = 1_000;
const LOOK_MS = 50;

/**
 * Runs a command as a process group of its own, and ends all of the group with it: what a step leaves behind does not disturb the next one.
 * A process that has made itself a group (`setsid`) is out of reach. Never rejects.
 */
export function runProcess(options: ProcessOptions): Promise<ProcessEnd> {
  return new Promise((resolve) => {
    const [file = "", ...args] =
      typeof options.command === "string" ? ["/bin/sh", "-c", options.command] : options.command;
    let child: ChildProcess;
    try {
      // Detached: the leader of a new group, which can be signalled as one.
      child = spawn(file, args, {
        cwd: options.cwd,
        env: { ...options.env, ...options.groups?.marks },
        detached: true,
        stdio: ["ignore", "pipe", "pipe"],
      });
    } catch (error) {
      resolve({ kind: "unstarted", why: messageOf(error) });
      return;
    }
    if (child.pid !== undefined) options.groups?.began(child.pid);
    new RunningProcess(child, options, resolve).watch();
  });
}

class RunningProcess {
  readonly #child: ChildProcess;
  readonly #options: ProcessOptions;
  readonly #resolve: (end: ProcessEnd) => void;
  readonly #timers = new Set<unknown>();
  #lastOutput: number;
  /** Pipes that wait for whoever takes their output. */
  #held = 0;
  #stopped: "no output" | "too long" | "signal" | undefined;
  #exit: ProcessEnd | undefined;
  #isKilled = false;
  #isOver = false;

  constructor(child: ChildProcess, options: ProcessOptions, resolve: (end: ProcessEnd) => void) {
    this.#child = child;
    this.#options = options;
    this.#resolve = resolve;
    this.#lastOutput = options.clock.now();
  }

  watch(): void {
    const { signal, maxMs, noOutputMs } = this.#options;
    this.#child.on("error", (error) => {
      if (this.#child.pid === undefined) this.#finish({ kind: "unstarted", why: messageOf(error) });
    });
    this.#child.on("exit", (code, by) => this.#exited(code, by));
    this.#child.on("close", () => this.#closed());
    this.#read("out", this.#child.stdout);
    this.#read("err", this.#child.stderr);
    if (maxMs > 0) this.#after(maxMs, () => this.#stop("too long"));
    if (noOutputMs > 0) this.#watchSilence(noOutputMs);
    if (signal.aborted) this.#aborted();
    signal.addEventListener("abort", this.#aborted);
  }

  readonly #aborted = (): void => this.#stop("signal");

  #read(name: "out" | "err", pipe: Readable | null): void {
    pipe?.on("data", (bytes: Buffer) => {
      this.#lastOutput = this.#options.clock.now();
      const wait = this.#options.write(name, bytes);
      if (wait === undefined) return;
      pipe.pause();
      this.#held += 1;
      void wait.then(() => {
        this.#held -= 1;
        this.#lastOutput = this.#options.clock.now();
        pipe.resume();
      });
    });
    pipe?.on("error", () => undefined);
  }

  #watchSilence(afterMs: number): void {
    this.#after(afterMs, () => {
      const silentMs = this.#options.clock.now() - this.#lastOutput;
      if (this.#held > 0) this.#watchSilence(this.#options.noOutputMs);
      else if (silentMs >= this.#options.noOutputMs) this.#stop("no output");
      else this.#watchSilence(this.#options.noOutputMs - silentMs);
    });
  }

  #stop(why: "no output" | "too long" | "signal"): void {
    if (this.#stopped !== undefined || this.#exit !== undefined || this.#isOver) return;
    this.#stopped = why;
    this.#kill("SIGTERM");
    this.#after(this.#options.killAfterMs, () => this.#kill("SIGKILL"));
  }

  #exited(code: number | null, by: string | null): void {
    if (this.#exit !== undefined) return;
    this.#exit = code === null ? { kind: "killed", by: by ?? "a signal" } : { kind: "exit", code };
    if (this.#stopped === undefined) {
      // Its children that it has not waited for.
      this.#kill("SIGTERM");
      this.#after(Math.min(this.#options.killAfterMs, ORPHANS_MS), () => this.#kill("SIGKILL"));
    }
    this.#closePipesLater(this.#stopped === undefined ? ORPHANS_MS : this.#options.killAfterMs);
  }

  #closePipesLater(afterMs: number): void {
    this.#after(afterMs + ORPHANS_MS, () => {
      if (this.#held > 0) {
        this.#closePipesLater(afterMs);
        return;
      }
      this.#child.stdout?.destroy();
      this.#child.stderr?.destroy();
    });
  }

  #closed(): void {
    // Others of the group may be ending still, with their output elsewhere.
    const { pid } = this.#child;
    if (!this.#isKilled && pid !== undefined && isGroupAlive(pid)) {
      this.#after(LOOK_MS, () => this.#closed());
      return;
    }
    const end = this.#exit ?? { kind: "killed", by: "a signal" };
    this.#finish(this.#stopped === undefined ? end : { kind: "stopped", why: this.#stopped });
  }

  #finish(end: ProcessEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const timer of this.#timers) this.#options.clock.clearTimeout(timer);
    this.#options.signal.removeEventListener("abort", this.#aborted);
    const { pid } = this.#child;
    if (pid !== undefined) this.#options.groups?.ended(pid);
    this.#resolve(end);
  }

  #kill(signal: "SIGTERM" | "SIGKILL"): void {
    const { pid } = this.#child;
    if (pid === undefined || this.#isOver) return;
    if (signal === "SIGKILL") this.#isKilled = true;
    try {
      process.kill(-pid, signal);
    } catch {
      // Nobody of the group is left.
    }
  }

  #after(ms: number, run: () => void): void {
    const { clock } = this.#options;
    const timer = clock.setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
