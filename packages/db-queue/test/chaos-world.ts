import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { RpcError } from "@rpc/core";
import { createDbQueue } from "../src/issuer/create-db-queue.ts";
import type { DbQueue } from "../src/issuer/db-queue.ts";
import type { CommandRow } from "../src/store/store-words.ts";
import type { QueueStore } from "../src/store/store.ts";
import type { ChaosAgentOrder, ChaosAgentWord } from "./chaos-agent.ts";
import { JournalReader, journalNow } from "./chaos-journal.ts";
import { type ChaosVerdict, judge, type ToldOutcome } from "./chaos-judge.ts";
import type { PlannedCommand } from "./chaos-plan.ts";
import type { ChaosStore } from "./chaos-store.ts";

const PROGRAM = fileURLToPath(new URL("chaos-agent.ts", import.meta.url));
const ADDRESS = "software_dev.buildbot:7";
/** Beyond it something hangs. */
const PATIENCE_MS = 90_000;
const LOOK_MS = 10;
const LANES = 8;
/** What a frozen agent does after it goes on is watched for so long. */
const FENCING_MS = 300;

export interface ChaosWorldOptions {
  /** The issuer's; migrated. The world closes it. */
  readonly store: QueueStore;
  /** Where agents find it. */
  readonly agentStore: ChaosStore;
  readonly agents: number;
  readonly agentOptions?: Partial<ChaosAgentOrder["options"]>;
  readonly skewMs?: (agent: number) => number;
}

interface AgentProcess {
  readonly incarnation: string;
  readonly child: ChildProcess;
  readonly exited: Promise<unknown>;
  /** The test has ended it, or means to. */
  isExpendable: boolean;
}

/** Agents in processes of their own, an issuer in this one, and what they do to the truth. */
export class ChaosWorld {
  readonly queue: DbQueue;
  readonly store: QueueStore;
  /** What agents have reported, and how often. */
  readonly troubles: Map<string, number> = new Map();
  /** What the issuer was refused for, before it tried again. */
  readonly refusals: Map<string, number> = new Map();
  readonly told: Map<string, ToldOutcome> = new Map();
  readonly commands: PlannedCommand[] = [];
  readonly #options: ChaosWorldOptions;
  readonly #folder: string;
  readonly #journal: JournalReader;
  readonly #agents: (AgentProcess | undefined)[] = [];
  readonly #ids = new Map<string, number>();
  readonly #deaths = new Map<string, number>();
  readonly #frozen = new Set<string>();
  /** Of agents that ended by themselves, and of calls that were refused for good. */
  readonly #surprises: string[] = [];
  readonly #awaited = new Set<Promise<void>>();
  #incarnations = 0;
  #issuing = 0;
  #isClosing = false;

  private constructor(options: ChaosWorldOptions) {
    this.#options = options;
    this.store = options.store;
    this.queue = createDbQueue(options.store, { pollMs: 5000, reaper: { everyMs: 500 } });
    this.#folder = mkdtempSync(join(tmpdir(), "rpc-chaos-"));
    this.#journal = new JournalReader(join(this.#folder, "journal"));
  }

  static async open(options: ChaosWorldOptions): Promise<ChaosWorld> {
    await options.store.ensureAddress(ADDRESS);
    const world = new ChaosWorld(options);
    await Promise.all(Array.from({ length: options.agents }, (_, agent) => world.start(agent)));
    return world;
  }

  get inFlight(): number {
    return this.#awaited.size + this.#issuing;
  }

  incarnation(agent: number): string {
    return this.#agents[agent]?.incarnation ?? "";
  }

  /** Settles when it takes commands. */
  async start(agent: number): Promise<void> {
    const { agentStore, agentOptions = {}, skewMs } = this.#options;
    this.#incarnations += 1;
    const incarnation = `agent${agent}-${this.#incarnations}`;
    const order: ChaosAgentOrder = {
      store: agentStore,
      journal: join(this.#folder, "journal"),
      address: ADDRESS,
      name: `agent${agent}`,
      incarnation,
      options: { concurrency: 2, leaseMs: 10_000, reaper: { everyMs: 500 }, ...agentOptions },
      skewMs: skewMs?.(agent) ?? 0,
    };
    const child = fork(PROGRAM, [JSON.stringify(order)], {
      execArgv: ["--disable-warning=ExperimentalWarning"],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const started: AgentProcess = { incarnation, child, exited: once(child, "exit"), isExpendable: false };
    this.#agents[agent] = started;
    await new Promise<void>((resolve) => {
      child.on("message", (word: ChaosAgentWord) => {
        if (word.kind === "ready") resolve();
        else if (word.kind === "trouble") count(this.troubles, word.reason);
        else if (!started.isExpendable) this.#surprises.push(`${incarnation} has ended: ${word.reason}`);
      });
      child.on("exit", (code, signal) => {
        if (!started.isExpendable) this.#surprises.push(`the process of ${incarnation} has ended: ${code ?? signal}`);
        resolve();
      });
    });
  }

  async kill(agent: number): Promise<void> {
    const victim = this.#agents[agent];
    if (victim === undefined) return;
    this.#agents[agent] = undefined;
    victim.isExpendable = true;
    victim.child.kill("SIGKILL");
    await victim.exited;
    this.#deaths.set(victim.incarnation, journalNow());
  }

  /** It stands still until its successor is there, or for so long: it may hold a lock that its successor waits for. */
  async freeze(agent: number, mostMs: number): Promise<void> {
    const victim = this.#agents[agent];
    if (victim === undefined) return;
    victim.isExpendable = true;
    this.#frozen.add(victim.incarnation);
    victim.child.kill("SIGSTOP");
    const started = this.start(agent);
    await Promise.race([started, sleep(mostMs)]);
    victim.child.kill("SIGCONT");
    await started;
    // It hears that another one has come; until then its handlers go on, and its answers are refused.
    await sleep(FENCING_MS);
    victim.child.kill("SIGKILL");
    await victim.exited;
    this.#deaths.set(victim.incarnation, journalNow());
  }

  /** Settles when it is in the table, as often as that takes: with the same key, so that it is there once. */
  async issue(command: PlannedCommand): Promise<void> {
    this.commands.push(command);
    this.#issuing += 1;
    await this.#issue(command);
    this.#issuing -= 1;
  }

  async #issue(command: PlannedCommand): Promise<void> {
    const { name, workMs, maxAttempts, key, expiresMs, delayMs, priority } = command;
    const options = {
      idempotencyKey: name,
      maxAttempts,
      orderingKey: key,
      expires: expiresMs,
      delay: delayMs,
      priority,
    };
    for (;;) {
      const handle = this.queue.send(ADDRESS, "run", [name, workMs], {}, options);
      try {
        this.#ids.set(name, await handle.accepted);
        const awaited = this.#await(name, handle);
        this.#awaited.add(awaited);
        void awaited.then(() => this.#awaited.delete(awaited));
        return;
      } catch (thrown) {
        const { retryable, message, reason, code } = RpcError.from(thrown);
        count(this.refusals, reason ?? code);
        if (!retryable || this.#isClosing) {
          this.#surprises.push(`${name} was refused: ${message}`);
          return;
        }
        await sleep(50);
      }
    }
  }

  /** Keeps so many under way until what it gives is called; that settles when all that was begun has been issued. */
  load(inFlight: number, make: (index: number) => PlannedCommand): () => Promise<void> {
    const load = { isOver: false };
    const lane = async (): Promise<void> => {
      while (!load.isOver && !this.#isClosing) {
        if (this.inFlight >= inFlight) await sleep(2);
        else await this.issue(make(this.commands.length));
      }
    };
    const lanes = Promise.all(Array.from({ length: LANES }, lane));
    return async () => {
      load.isOver = true;
      await lanes;
    };
  }

  /** Settles when each agent that is there has begun a command since then; gives how long the first and the last of them took. */
  async allRunAgain(sinceMs: number): Promise<{ readonly firstMs: number; readonly lastMs: number }> {
    const missing = new Set(this.#agents.flatMap((each) => (each === undefined ? [] : [each.incarnation])));
    let firstMs = Number.POSITIVE_INFINITY;
    let lastMs = 0;
    let read = 0;
    await this.until(
      () => {
        const entries = this.#journal.read();
        for (; read < entries.length; read += 1) {
          const entry = entries[read];
          if (entry === undefined || entry.what === "end" || entry.atMs < sinceMs) continue;
          if (!missing.delete(entry.incarnation)) continue;
          firstMs = Math.min(firstMs, entry.atMs - sinceMs);
          lastMs = Math.max(lastMs, entry.atMs - sinceMs);
        }
        return missing.size === 0;
      },
      `${[...missing].join(", ")} running again`,
    );
    return { firstMs, lastMs };
  }

  async until(holds: () => boolean | Promise<boolean>, what: string | (() => string)): Promise<void> {
    const deadline = journalNow() + PATIENCE_MS;
    while (!(await holds())) {
      if (journalNow() > deadline)
        throw new Error(
          `${typeof what === "string" ? what : what()}: not within ${PATIENCE_MS} ms; ${this.#surprises.join("; ")} ${this.#troubleText()}`,
        );
      await sleep(LOOK_MS);
    }
  }

  /** Settles when every issuer has been told. */
  async allTold(): Promise<void> {
    await this.until(() => this.inFlight === 0, "the end of all commands");
  }

  async judge(): Promise<ChaosVerdict> {
    await this.allTold();
    const rows = new Map<string, CommandRow>();
    const entries = [...this.#ids];
    for (let at = 0; at < entries.length; at += 500) {
      const some = entries.slice(at, at + 500);
      const found = await this.store.read(some.map(([, id]) => id));
      for (const [index, [name]] of some.entries()) {
        const row = found[index];
        if (row !== undefined) rows.set(name, row);
      }
    }
    const verdict = judge({
      commands: this.commands,
      told: this.told,
      rows,
      journal: this.#journal.read(),
      deaths: this.#deaths,
      frozen: this.#frozen,
    });
    return { ...verdict, violations: [...this.#surprises, ...verdict.violations] };
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    for (const each of this.#agents) {
      if (each === undefined) continue;
      each.isExpendable = true;
      each.child.kill("SIGKILL");
      await each.exited;
    }
    await this.queue.close();
    await this.store.close();
    this.#journal.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #await(name: string, handle: PromiseLike<unknown>): Promise<void> {
    try {
      this.told.set(name, { kind: "done", value: await handle });
    } catch (thrown) {
      const { reason, code, message } = RpcError.from(thrown);
      this.told.set(name, { kind: "failed", reason: reason ?? `${code} ${message}` });
    }
  }

  #troubleText(): string {
    return [...this.troubles].map(([reason, count]) => `${count} × ${reason}`).join(", ");
  }
}

function count(counts: Map<string, number>, reason: string): void {
  counts.set(reason, (counts.get(reason) ?? 0) + 1);
}
