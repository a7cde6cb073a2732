import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { ArgumentOf, ControlReply, ControlRequest, ReplyOf, RequestName } from "./control.ts";

const STDERR_KEPT_CHARACTERS = 4000;

interface PendingRequest {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** One measured process, asked over IPC. When it dies, all that it still owes is rejected with its last words. */
export class MeasuredProcess {
  readonly #child: ChildProcess;
  readonly #label: string;
  readonly #pending = new Map<number, PendingRequest>();
  #nextId = 0;
  #lastWords = "";
  #deathCause: Error | undefined;
  #isStopped = false;

  constructor(side: "server" | "client", entrantName: string) {
    this.#label = `${entrantName} ${side}`;
    const script = fileURLToPath(new URL(`./${side}-process.ts`, import.meta.url));
    this.#child = fork(script, [entrantName], {
      execArgv: ["--expose-gc", "--disable-warning=ExperimentalWarning"],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      env: { ...process.env, NODE_ENV: "production" },
    });
    this.#child.stderr?.on("data", (text: Buffer) => {
      this.#lastWords = (this.#lastWords + text.toString()).slice(-STDERR_KEPT_CHARACTERS);
    });
    this.#child.on("message", (reply: ControlReply) => this.#settle(reply));
    this.#child.on("error", (error) => this.#rejectPending(error));
    this.#child.on("close", (code, signal) => {
      this.#rejectPending(new Error(`${this.#label} ended with ${signal ?? code}: ${this.#lastWords.trim()}`));
    });
  }

  /** Tells at once when the process ends by itself; the pair's other half would wait for it in vain. */
  onDeath(listener: (cause: Error) => void): void {
    this.#child.on("close", () => {
      if (!this.#isStopped && this.#deathCause !== undefined) listener(this.#deathCause);
    });
  }

  abandon(cause: Error): void {
    this.#rejectPending(cause);
  }

  ask<Name extends RequestName>(name: Name, argument: ArgumentOf<Name>, limitMs: number): Promise<ReplyOf<Name>> {
    if (this.#deathCause !== undefined) return Promise.reject(this.#deathCause);
    const id = this.#nextId++;
    const request: ControlRequest = { id, name, argument };
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new Error(`${this.#label} did not finish "${name}" within ${Math.round(limitMs / 1000)} s`));
      }, limitMs);
      this.#pending.set(id, {
        // The child's answer table gives each name its reply type.
        resolve: (result) => {
          clearTimeout(timer);
          resolve(result as ReplyOf<Name>);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      this.#child.send(request);
    });
  }

  /** Nothing measured depends on a graceful end, and a library may hang in its own. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "close");
  }

  #settle(reply: ControlReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (reply.error === undefined) pending?.resolve(reply.result);
    else pending?.reject(new Error(reply.error));
  }

  #rejectPending(cause: Error): void {
    this.#deathCause ??= cause;
    for (const pending of this.#pending.values()) pending.reject(cause);
    this.#pending.clear();
  }
}
