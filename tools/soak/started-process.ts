import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { END_LIMIT_MS, type Message, type Order } from "./child.ts";
import type { SoakOptions } from "./options.ts";

/** Beyond the seconds of the load: starting, catching up, comparing. */
export const PATIENCE_MS = 120_000;

/** One of the two processes. */
export class StartedProcess {
  readonly #name: string;
  readonly #process: ChildProcess;
  #lastWords = "";

  constructor(name: "server" | "client", options: SoakOptions) {
    this.#name = name;
    const script = fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
    this.#process = fork(script, [JSON.stringify(options)], {
      execArgv: ["--disable-warning=ExperimentalWarning"],
      stdio: ["ignore", "inherit", "pipe", "ipc"],
    });
    this.#process.stderr?.on("data", (text: Buffer) => (this.#lastWords += text.toString()));
  }

  order(order: Order): void {
    this.#process.send(order);
  }

  /** The next message of this kind. */
  hear<Kind extends Message["kind"]>(
    kind: Kind,
    limitMs = PATIENCE_MS,
  ): Promise<Extract<Message, { readonly kind: Kind }>> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.#process.off("message", listen);
        this.#process.off("exit", exit);
      };
      const listen = (message: Message): void => {
        if (message.kind !== kind) return;
        settle();
        resolve(message as Extract<Message, { readonly kind: Kind }>);
      };
      const exit = (code: number | null): void => {
        settle();
        reject(new Error(`the ${this.#name} ended with ${String(code)} instead of "${kind}": ${this.#lastWords}`));
      };
      const timer = setTimeout(() => {
        settle();
        reject(new Error(`the ${this.#name} did not say "${kind}" within ${limitMs} ms: ${this.#lastWords}`));
      }, limitMs);
      this.#process.on("message", listen);
      this.#process.on("exit", exit);
    });
  }

  /** Has it close what it opened, and says what then kept it from ending by itself. */
  async end(): Promise<string[]> {
    const closed = this.hear("closed");
    this.order({ kind: "close" });
    await closed;
    const started = performance.now();
    const limit = setTimeout(() => this.kill(), END_LIMIT_MS);
    const [code, signal] = (await once(this.#process, "exit")) as [number | null, string | null];
    clearTimeout(limit);
    if (signal !== null)
      return [`the ${this.#name} did not end by itself within ${END_LIMIT_MS} ms: ${this.#lastWords}`];
    if (code !== 0 || this.#lastWords !== "") return [`the ${this.#name} ended with ${code}: ${this.#lastWords}`];
    console.log(
      `the ${this.#name} ended by itself after ${Math.round(performance.now() - started)} ms, nothing was left`,
    );
    return [];
  }

  kill(): void {
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill("SIGKILL");
  }
}
