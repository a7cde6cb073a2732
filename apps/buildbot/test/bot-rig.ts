import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRouter, mergeRouters, RpcError } from "@rpc/core";
import { createCommandService, createDbQueue, createSqliteStore } from "@rpc/db-queue";
import { serveTcp } from "@rpc/tcp";
import type { BotOptions } from "../src/bot/bot-options.ts";
import { type RunningBot, runBot } from "../src/bot/run-bot.ts";
import { Bot, type BuildOrder, Desk } from "../src/contracts/bot.ts";
import { Step, type Results, type TestResult } from "../src/contracts/values.ts";
import { makeRepository, type Repository } from "./git-rig.ts";

const SECRET = "the secret of the bot, long enough";
/** Of `one` or `two`. */
export const tokenOf = (name: string): string => `${name}:${SECRET}`;
const ADDRESS = "software_dev.buildbot:1";

/** What a server has been told of one build. */
export interface Told {
  readonly order: BuildOrder;
  incarnation: string | undefined;
  revision?: string;
  properties: Record<string, string>;
  readonly steps: Map<
    number,
    {
      name: string;
      began: boolean;
      results?: Results;
      summary?: string;
      exitCode?: number | undefined;
      log: { stream: string; text: string }[];
    }
  >;
  readonly tests: Map<number, TestResult[]>;
  readonly artefacts: Map<string, Buffer>;
  results?: Results;
  summary?: string;
}

/** A Desk that holds the bot to the protocol, over a real connection that can be cut. */
export class DeskRig {
  readonly violations: string[] = [];
  readonly said: string[] = [];
  readonly builds = new Map<number, Told>();
  readonly commits: {
    repository: string;
    hash: string;
    branch: string;
    parent?: string | undefined;
    subject: string;
  }[] = [];
  readonly hellos: { incarnation: string; running: number[]; kept: { build: number; incarnation: string }[] }[] = [];
  readonly heads: Record<string, string> = {};
  readonly store = createSqliteStore({ file: ":memory:" });
  readonly queue = createDbQueue(this.store);
  folder = "";
  repository: Repository | undefined;
  isPaused = false;
  maxBuilds = 2;
  /** What it says that it is. */
  server: string | undefined;
  /** Called before each call is done: what it throws is answered. After it, when `after`. */
  trouble: ((method: string, when: "before" | "after") => void) | undefined;
  /** Awaited before a claim is answered. */
  slow: (() => Promise<void>) | undefined;
  #incarnation: string | undefined;
  #waiting: BuildOrder[] = [];
  #lastBuild = 0;
  readonly #parts = new Map<string, Buffer>();
  #port = 0;
  #listener: Awaited<ReturnType<typeof serveTcp>> | undefined;
  readonly #bots: RunningBot[] = [];

  async open(): Promise<void> {
    this.folder = await mkdtemp(join(tmpdir(), "bot-"));
    this.repository = makeRepository(join(this.folder, "source"));
    await this.store.migrate();
    await this.queue.ensureAddress(ADDRESS);
    await this.listen();
  }

  async close(): Promise<void> {
    await Promise.all(this.#bots.map((bot) => bot.close()));
    await this.hangUp();
    await this.queue.close();
    await this.store.close();
    await rm(this.folder, { recursive: true, force: true });
    if (this.violations.length > 0) throw new Error(`the bot has broken the protocol: ${this.violations.join("; ")}`);
  }

  async listen(): Promise<void> {
    const handler = mergeRouters(
      this.#desk(),
      createCommandService(this.store, { rights: { one: { serve: [ADDRESS] }, two: { serve: [ADDRESS] } } }),
    );
    this.#listener = await serveTcp(handler, {
      endpoint: `tcp://127.0.0.1:${this.#port}`,
      secrets: { one: SECRET, two: SECRET },
    });
    this.#port = Number(new URL(this.#listener.endpoint).port);
  }

  async hangUp(): Promise<void> {
    await this.#listener?.close();
    this.#listener = undefined;
  }

  get bot() {
    return this.queue.proxy(Bot, ADDRESS, { expires: "10s" });
  }

  async start(options: Partial<BotOptions> = {}): Promise<RunningBot> {
    const bot = await runBot({
      server: `tcp://127.0.0.1:${this.#port}`,
      token: tokenOf("one"),
      dir: join(this.folder, "bot"),
      claimMs: 200,
      minFreeBytes: 0,
      onMessage: (message) => this.said.push(message),
      ...options,
    });
    this.#bots.push(bot);
    return bot;
  }

  /** Puts a build there to be claimed. Gives its id. */
  order(steps: readonly (Partial<Step> & Pick<Step, "name" | "command">)[], more: Partial<BuildOrder> = {}): number {
    const build = (this.#lastBuild += 1);
    const order: BuildOrder = {
      build,
      number: build,
      request: {
        id: build,
        builder: "tests",
        branch: "main",
        reason: "try",
        priority: 0,
        properties: {},
        state: "claimed",
        submittedAt: 0,
        submittedBy: "ada",
      },
      repositoryUrl: this.repository?.path ?? "",
      branch: "main",
      properties: {},
      env: {},
      secrets: [],
      steps: steps.map((step) => Step.parse(step)),
      ...more,
    };
    this.#waiting.push(order);
    return build;
  }

  told(build: number): Told {
    const told = this.builds.get(build);
    if (told === undefined) throw new Error(`build ${build} has not been claimed`);
    return told;
  }

  log(build: number, seq: number, stream?: string): string {
    const log = this.told(build).steps.get(seq)?.log ?? [];
    return log
      .filter((piece) => stream === undefined || piece.stream === stream)
      .map(({ text }) => text)
      .join("");
  }

  async finished(build: number): Promise<Told> {
    await until(
      () => this.builds.get(build)?.results !== undefined,
      () => this.said.join("\n"),
    );
    return this.told(build);
  }

  /** Gives it to another. */
  lose(build: number): void {
    this.told(build).incarnation = undefined;
  }

  #write({ build, incarnation }: { build: number; incarnation: string }): Told {
    const told = this.builds.get(build);
    if (told === undefined || told.incarnation !== incarnation) {
      throw Desk.began.error("BuildLost", { build, why: "it was given to another" });
    }
    if (told.results !== undefined) this.violations.push(`build ${build} is told of after its end`);
    return told;
  }

  #step(told: Told, seq: number) {
    const step = told.steps.get(seq);
    if (step === undefined) throw this.#violation(`step ${seq} of build ${told.order.build} has not begun`);
    if (step.results !== undefined) this.violations.push(`step ${seq} is told of after its end`);
    return step;
  }

  #violation(message: string): Error {
    this.violations.push(message);
    return new Error(message);
  }

  #desk() {
    const around =
      <Args extends unknown[], Result>(method: string, run: (...args: Args) => Result) =>
      (...args: Args): Result => {
        this.trouble?.(method, "before");
        const result = run(...args);
        this.trouble?.(method, "after");
        return result;
      };
    return createRouter(Desk, {
      hello: around("hello", ({ incarnation, running, kept }) => {
        this.hellos.push({ incarnation, running, kept });
        this.#incarnation = incarnation;
        const lost = running.filter((build) => this.builds.get(build)?.incarnation !== incarnation);
        const who = this.server === undefined ? {} : { server: this.server };
        return { name: "one", ...who, address: ADDRESS, maxBuilds: this.maxBuilds, paused: this.isPaused, lost };
      }),
      claim: around("claim", async ({ incarnation, max }) => {
        if (incarnation !== this.#incarnation)
          throw new RpcError("FAILED_PRECONDITION", "say hello", { reason: "FENCED" });
        if (this.isPaused) return [];
        const running = [...this.builds.values()].filter(
          (told) => told.results === undefined && told.incarnation === incarnation,
        );
        const again = running.filter(({ steps }) => steps.size === 0).map(({ order }) => order);
        const fresh = this.#waiting.splice(
          0,
          Math.max(0, Math.min(max - again.length, this.maxBuilds - running.length)),
        );
        for (const order of fresh) {
          this.builds.set(order.build, {
            order,
            incarnation,
            properties: {},
            steps: new Map(),
            tests: new Map(),
            artefacts: new Map(),
          });
        }
        await this.slow?.();
        return [...again, ...fresh];
      }),
      began: around("began", (told) => {
        this.#write(told).revision = told.revision;
        return {};
      }),
      stepBegan: around("stepBegan", ({ seq, name, ...writer }) => {
        const { steps } = this.#write(writer);
        if (!steps.has(seq)) steps.set(seq, { name, began: true, log: [] });
        return {};
      }),
      stepEnded: around("stepEnded", ({ seq, results, summary, exitCode, ...writer }) => {
        const told = this.#write(writer);
        const step = told.steps.get(seq) ?? { name: "", began: false, log: [] };
        if (!step.began && results !== "skipped") this.violations.push(`step ${seq} ends and never began`);
        told.steps.set(seq, Object.assign(step, { results, summary, exitCode }));
        return {};
      }),
      appendLog: around("appendLog", ({ seq, offset, pieces, ...writer }) => {
        const { log } = this.#step(this.#write(writer), seq);
        const size = () => log.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
        if (offset > size()) this.violations.push(`a gap before ${offset}`);
        if (offset === size()) log.push(...pieces);
        else if (offset + pieces.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0) > size()) {
          this.violations.push("a piece that is half there");
        }
        if (pieces.some(({ text }) => text.includes("\u{FFFD}"))) this.violations.push("a split character");
        return { size: size() };
      }),
      addTests: around("addTests", ({ part, tests, ...writer }) => {
        this.#write(writer).tests.set(part, tests);
        return {};
      }),
      setProperties: around("setProperties", ({ properties, ...writer }) => {
        Object.assign(this.#write(writer).properties, properties);
        return {};
      }),
      finished: around("finished", ({ results, summary, ...writer }) => {
        const told = this.builds.get(writer.build);
        // Said again, because its answer was lost.
        if (told?.results !== undefined) return {};
        Object.assign(this.#write(writer), { results, summary });
        return {};
      }),
      uploadArtefact: async (items) => {
        this.trouble?.("uploadArtefact", "before");
        let head: { build: number; incarnation: string; name: string; bytes: number; sha256: string } | undefined;
        const chunks: Uint8Array[] = [];
        for await (const item of items) {
          if ("chunk" in item) chunks.push(item.chunk);
          else head = item;
        }
        if (head === undefined) throw this.#violation("an artefact without a head");
        const bytes = Buffer.concat(chunks);
        if (bytes.length !== head.bytes || createHash("sha256").update(bytes).digest("hex") !== head.sha256)
          this.violations.push("a wrong digest");
        this.#write(head).artefacts.set(head.name, bytes);
        this.trouble?.("uploadArtefact", "after");
        return {};
      },
      appendArtefact: around("appendArtefact", ({ offset, chunk, ...head }) => {
        const before = this.#parts.get(head.name) ?? Buffer.alloc(0);
        const bytes = offset > before.length ? before : Buffer.concat([before.subarray(0, offset), chunk]);
        this.#parts.set(head.name, bytes);
        if (bytes.length === head.bytes) {
          if (createHash("sha256").update(bytes).digest("hex") !== head.sha256) this.violations.push("a wrong digest");
          this.#write(head).artefacts.set(head.name, bytes);
        }
        return { size: bytes.length };
      }),
      rebuild: ({ build }) => ({ request: build + 1000 }),
      addCommits: around("addCommits", ({ repository, commits }) => {
        const fresh = commits.filter(
          ({ hash, branch }) => !this.commits.some((each) => each.hash === hash && each.branch === branch),
        );
        this.commits.push(...fresh.map((commit) => ({ repository, ...commit })));
        for (const { branch, hash } of commits) this.heads[branch] = hash;
        return { added: fresh.length };
      }),
      repositories: () => [
        { name: "source", url: this.repository?.path ?? "", branches: ["main", "release/*"], heads: this.heads },
      ],
    });
  }
}

export async function until(holds: () => boolean, why: () => string = () => ""): Promise<void> {
  const end = Date.now() + 12_000;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`it does not come\n${why()}`);
    await new Promise((resolve) => void setTimeout(resolve, 5));
  }
}
