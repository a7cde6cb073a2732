import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { generatePython, missingForPython, python } from "../vitest/python.ts";

const PROTO = fileURLToPath(new URL("../../packages/protobuf/proto", import.meta.url));
const DRIVER = fileURLToPath(new URL("python/driver.py", import.meta.url));

/** How Python tells an RpcError. */
interface PythonError {
  readonly code: string;
  readonly message: string;
  readonly reason: string;
  readonly details: unknown;
  readonly retryable: boolean;
  readonly delivered: "no" | "unknown" | null;
}

/** What `status` answers. */
export interface Status {
  readonly sent: number;
  readonly acked: number;
  readonly received: number;
  readonly kept: number;
  readonly suspended: number;
  readonly resumed: number;
  readonly refusals: readonly number[];
  readonly over: PythonError | null;
  readonly features: readonly string[];
  readonly draining: boolean;
  readonly pingsReceived: number;
  readonly pongsReceived: number;
  readonly compressedIn: number;
  readonly compressedOut: number;
  readonly sessionId: string;
}

/** What the handlers of Python remember. */
export interface PythonMemory {
  readonly counters: Readonly<Record<string, number>>;
  readonly notes: readonly unknown[];
  readonly cancelled: readonly string[];
  readonly flooded: number;
}

type Answer = { readonly id: number } & ({ readonly ok: unknown } | { readonly error: PythonError });
interface Asked {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

let generated: string | undefined;

/** The folder with protoc's code, made when it is first needed. Throws when there is no Python that could use it. */
function generatedCode(): string {
  if (missingForPython !== undefined) throw new Error(missingForPython);
  return (generated ??= generatePython([PROTO], ["rpc/v1/envelope.proto"]));
}

/** Removes what was generated; a later peer generates it again. */
export function removeGeneratedCode(): void {
  if (generated !== undefined) rmSync(generated, { recursive: true, force: true });
  generated = undefined;
}

/** A process in Python that does what it is told; the commands are in python/driver.py. */
export class PythonPeer implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #asked = new Map<number, Asked>();
  #lastId = 0;
  #lastWords = "";

  constructor() {
    const env = { ...process.env, PYTHONPATH: generatedCode(), PYTHONDONTWRITEBYTECODE: "1" };
    this.#process = spawn(python ?? "python3", [DRIVER], { env, stdio: ["pipe", "pipe", "pipe"] });
    const { stdout, stderr } = this.#process;
    if (stdout === null || stderr === null) throw new Error("a process without pipes");
    createInterface({ input: stdout }).on("line", (line) => this.#answered(JSON.parse(line) as Answer));
    stderr.on("data", (text: Buffer) => {
      this.#lastWords += text.toString();
    });
    this.#process.once("close", () => {
      for (const asked of this.#asked.values()) asked.reject(new Error(`Python has ended: ${this.#lastWords}`));
      this.#asked.clear();
    });
  }

  #answered(answer: Answer): void {
    const asked = this.#asked.get(answer.id);
    this.#asked.delete(answer.id);
    if ("ok" in answer) asked?.resolve(answer.ok);
    else asked?.reject(Object.assign(new Error(`Python: ${answer.error.message}`), answer.error));
  }

  /** Gives a command and waits for its answer; rejects with the members of {@link PythonError}. */
  ask<Result = unknown>(command: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<Result> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#asked.set(id, { resolve, reject });
      this.#process.stdin?.write(`${JSON.stringify({ id, do: command, with: parameters })}\n`);
    });
  }

  status(): Promise<Status> {
    return this.ask("status");
  }

  memory(): Promise<PythonMemory> {
    return this.ask("demo");
  }

  /** What this process has written to stderr: nothing, unless it is broken. */
  get complaints(): string {
    return this.#lastWords;
  }

  /** Kills the process, as a crash would. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    if (this.#lastWords !== "") throw new Error(`Python complained: ${this.#lastWords}`);
  }
}
