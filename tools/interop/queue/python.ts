import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

/** A program of this folder, run by python3. */
export class PythonProgram implements AsyncDisposable {
  readonly #process: ChildProcess;
  #said = "";
  #complained = "";

  constructor(name: string, ...args: readonly string[]) {
    const file = join(import.meta.dirname, name);
    this.#process = spawn("python3", [file, ...args], { stdio: ["pipe", "pipe", "pipe"] });
    this.#process.stdout?.on("data", (chunk: Buffer) => (this.#said += chunk.toString()));
    this.#process.stderr?.on("data", (chunk: Buffer) => (this.#complained += chunk.toString()));
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Its last words, when they were not meant for us. */
  get complaint(): string {
    return this.#complained;
  }

  say(text: string): void {
    this.#process.stdin?.write(text);
  }

  /** What it has printed, when it has ended by itself. */
  async output(): Promise<string> {
    if (this.isRunning) await once(this.#process, "close");
    if (this.#process.exitCode !== 0) throw new Error(this.#complained);
    return this.#said;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isRunning) return;
    this.#process.kill("SIGKILL");
    await once(this.#process, "close");
  }
}
