import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

const PEERS = join(import.meta.dirname, "peers");

/**
 * A Python 3 that has pyzmq. Debian's packages belong to /usr/bin/python3, which need not be the first python3 on the path.
 * `-I`: the folder `zmq` here is not what is looked for.
 */
const python = ["python3", "/usr/bin/python3"].find(
  (program) => spawnSync(program, ["-I", "-c", "import zmq"]).status === 0,
);

/** What has to be installed before a peer can be started; undefined: nothing. */
export const missingForPeers: string | undefined =
  python === undefined ? "pyzmq is missing (Debian: apt-get install python3-zmq)" : undefined;

/** A line that a peer has printed. */
export type Line = Readonly<Record<string, unknown>>;

function holds(line: Line, members: Line): boolean {
  return Object.entries(members).every(([name, value]) => line[name] === value);
}

const LAUNCH_OURS = [process.execPath, join(import.meta.dirname, "our-process.ts")] as const;

/** A process of its own that speaks Majordomo: a program of `peers/`, or one of ours. */
export class PeerProcess implements AsyncDisposable {
  /** What it has printed so far. */
  readonly lines: Line[] = [];
  readonly #process: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #waiting = new Set<() => void>();
  #isClosed = false;
  #complained = "";

  /** `name`: of a file of `peers/`, or `our` for our-process.ts. */
  constructor(name: string, args: readonly string[]) {
    const env = { ...process.env, PYTHONDONTWRITEBYTECODE: "1" };
    const [program, file] = name === "our" ? LAUNCH_OURS : [python ?? "python3", join(PEERS, `${name}.py`)];
    const child = spawn(program, [file, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      this.lines.push(JSON.parse(line) as Line);
      for (const look of this.#waiting) look();
    });
    child.stderr?.on("data", (chunk: Buffer) => (this.#complained += chunk.toString()));
    this.#closed = once(child, "close").then(() => {
      this.#isClosed = true;
      for (const look of this.#waiting) look();
    });
  }

  /** What it has written to stderr: nothing, unless it is broken. */
  get complaint(): string {
    return this.#complained;
  }

  /** The first line, of those from `from` on, that has these members; waits for it. Rejects when the peer ends without it. */
  line(members: Line, from = 0): Promise<Line> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = this.lines.slice(from).find((line) => holds(line, members));
        if (found === undefined && !this.#isClosed) return;
        this.#waiting.delete(look);
        if (found !== undefined) resolve(found);
        else reject(new Error(`it has ended without ${JSON.stringify(members)}: ${this.#complained}`));
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** Those lines so far that have these members. */
  told(members: Line): readonly Line[] {
    return this.lines.filter((line) => holds(line, members));
  }

  /** Its line when it is up. */
  ready(): Promise<Line> {
    return this.line({ ready: true });
  }

  /** All its lines but the first, when it has ended by itself and well. */
  async output(): Promise<readonly Line[]> {
    await this.#closed;
    if (this.#process.exitCode !== 0)
      throw new Error(`it has ended with ${this.#process.exitCode}: ${this.#complained}`);
    return this.lines.filter((line) => line["ready"] === undefined);
  }

  /** SIGUSR1: a broker in Python disconnects all workers. SIGSTOP and SIGCONT: it hangs, and goes on. */
  signal(name: "SIGUSR1" | "SIGSTOP" | "SIGCONT"): void {
    this.#process.kill(name);
  }

  /** Asks it to end, and waits for that. */
  async stop(): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#closed;
  }

  /** Kills it, as a crash would. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    if (this.#complained !== "") throw new Error(`a peer complained: ${this.#complained}`);
  }
}
