import { RpcError } from "@rpc/core";
import { useEffect, useState, useSyncExternalStore } from "react";
import { mayComeBack } from "../data/use-loaded.ts";
import { builds } from "../rpc/connection.ts";
import { useEpoch } from "../rpc/live.ts";
import { LineWindows } from "./line-windows.ts";

const AGAIN_MS = 1000;
const UNSEEN_MS = 500;

/** A step's log as far as it has been looked at, and its end as it grows. */
export class LiveLog {
  readonly windows: LineWindows;
  readonly #build: number;
  readonly #step: number;
  readonly #watchers = new Set<() => void>();
  #isTold = false;
  #error: RpcError | undefined;
  #hasEnded = false;
  #wasGrowing = false;
  #version = 0;

  constructor(build: number, step: number) {
    this.#build = build;
    this.#step = step;
    this.windows = new LineWindows({
      load: async (firstLine, limit) => {
        const lines = await builds.lines({ build, step, firstLine, limit });
        this.#error = undefined;
        return lines;
      },
      changed: () => this.#tell(),
      failed: (error) => {
        this.#fail(error);
        if (mayComeBack(RpcError.from(error))) setTimeout(() => this.windows.again(), AGAIN_MS);
      },
    });
  }

  get error(): RpcError | undefined {
    return this.#error;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** It was not whole when it was first looked at: whoever came to see it grow wants to see its end. */
  get wasGrowing(): boolean {
    return this.#wasGrowing;
  }

  readonly version = (): number => this.#version;

  /** For those who need no more of it. */
  readonly isGrowing = (): boolean => this.#wasGrowing && !this.#hasEnded;

  readonly watch = (watcher: () => void): (() => void) => {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  };

  /** Reads the end of the log for as long as it grows, over lost connections and servers. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.#hasEnded) {
      try {
        await this.#readOn(signal);
      } catch (error) {
        if (signal.aborted) return;
        const failure = RpcError.from(error);
        if (failure.code !== "UNAVAILABLE") this.#fail(failure);
        if (!mayComeBack(failure)) return;
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  async #readOn(signal: AbortSignal): Promise<void> {
    const build = this.#build;
    const step = this.#step;
    const size = await builds.lines({ build, step, firstLine: 0, limit: 500 }, { signal });
    this.#error = undefined;
    this.windows.add(size);
    if (size.ended) this.#hasEnded = true;
    if (await this.#isOver(signal)) return;
    this.#wasGrowing = true;
    this.#tell();
    // The last line that is known may not be whole.
    const firstLine = Math.max(size.lines.length, this.windows.total - 1, 0);
    for await (const part of builds.follow({ build, step, firstLine, tail: true }, { signal })) {
      // As far as it has been told: what is behind that is told next, and would be asked for in vain.
      this.windows.add({ ...part, totalLines: part.firstLine + part.lines.length });
      if (part.ended) this.#hasEnded = true;
      await drawn();
    }
    this.#tell();
  }

  /** The first lines of a long log that has ended do not say so; its very end does. */
  async #isOver(signal: AbortSignal): Promise<boolean> {
    if (this.#hasEnded) return true;
    const where = { build: this.#build, step: this.#step, firstLine: Math.max(0, this.windows.total - 1) };
    const last = await builds.lines({ ...where, limit: 500 }, { signal });
    this.windows.add(last);
    this.#hasEnded = last.ended;
    return last.ended;
  }

  #fail(error: unknown): void {
    this.#error = RpcError.from(error);
    this.#tell();
  }

  /** Once per picture, however much comes. */
  #tell(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    requestAnimationFrame(() => {
      this.#isTold = false;
      this.#version += 1;
      this.#watchers.forEach((watcher) => watcher());
    });
  }
}

/** No more is taken than is drawn; a page that nobody sees draws nothing, and goes on all the same. */
function drawn(): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, UNSEEN_MS);
    requestAnimationFrame(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Who calls it is drawn again when the log has changed. */
export function useVersion(log: LiveLog): number {
  return useSyncExternalStore(log.watch, log.version);
}

/** One per step: the caller gives its component a key of both. */
export function useLog(build: number, step: number): LiveLog {
  const [log] = useState(() => new LiveLog(build, step));
  const epoch = useEpoch();
  useEffect(() => {
    const stop = new AbortController();
    void log.follow(stop.signal);
    return () => stop.abort();
  }, [log, epoch]);
  return log;
}
