import type { ClientOf } from "@rpc/core";
import { CommandFailure } from "@rpc/db-queue";
import type { Desk } from "../contracts/bot.ts";
import { cut } from "../cut.ts";
import type { PatientDesk } from "./desk/patient-desk.ts";
import { describe, type FoundCommit, newCommits } from "./git/commits.ts";
import type { GitSettings, MirrorCall, Mirrors } from "./git/mirror.ts";
import { KeyedLock } from "./keyed-lock.ts";
import { fits } from "../server/store/patterns.ts";

/** Of one branch, in one poll. */
const MOST_COMMITS = 500;
const PART = 500;
/** The command of a poll has an end as well. */
const TRIES = 5;

export interface PollingOptions {
  readonly desk: PatientDesk;
  readonly mirrors: Mirrors;
  readonly git: GitSettings;
}

interface Source {
  readonly name: string;
  readonly url: string;
  readonly branches: readonly string[];
  readonly heads: Readonly<Record<string, string>>;
}

type Found = Parameters<ClientOf<typeof Desk>["addCommits"]>[0];

/** Looks for commits, and tells the server of them. One look at a time for each repository. */
export class Polling {
  readonly #options: PollingOptions;
  readonly #lock = new KeyedLock();

  constructor(options: PollingOptions) {
    this.#options = options;
  }

  /** Of all repositories, or of those named. Gives how many commits were new; rejects with a CommandFailure after all have been looked at. */
  async poll(names: readonly string[] | undefined, call: MirrorCall): Promise<number> {
    const sources = await this.#sources(call);
    const wanted = names ?? sources.map(({ name }) => name);
    const unknown = wanted.filter((name) => !sources.some((source) => source.name === name));
    if (unknown.length > 0) throw unknownRepository(unknown);
    let added = 0;
    const problems: string[] = [];
    for (const name of new Set(wanted)) {
      try {
        added += await this.#lock.run(name, () => this.#pollOne(name, call));
      } catch (error) {
        if (call.signal.aborted) throw error;
        const problem = error instanceof Error ? error.message : String(error);
        problems.push(`${name}: ${problem}`);
        const told = this.#add({ repository: name, commits: [], problem: cut(problem, 2000) }, call);
        // It may have left the configuration meanwhile: the others are looked at all the same.
        await told.catch(() => undefined);
      }
    }
    if (problems.length > 0) throw new CommandFailure("Not all could be looked at", problems.join("\n"));
    return added;
  }

  /** Tells the server of these commits, whether or not it knows them. Rejects with a CommandFailure. */
  async rescan(
    wanted: { readonly repository: string; readonly commits: readonly string[]; readonly branch: string },
    call: MirrorCall,
  ): Promise<number> {
    const source = (await this.#sources(call)).find(({ name }) => name === wanted.repository);
    if (source === undefined) throw unknownRepository([wanted.repository]);
    return this.#lock.run(source.name, async () => {
      const cwd = await this.#options.mirrors.update(source.url, call);
      const found = await describe(wanted.commits, { ...this.#options.git, ...call, cwd });
      const missing = wanted.commits.filter((hash) => !found.some((commit) => commit.hash === hash));
      const added = await this.#tell(source.name, wanted.branch, found, call);
      if (missing.length > 0) {
        const some = missing.slice(0, 10).join(", ");
        throw new CommandFailure("Unknown commits", `${source.name} has no ${some}${missing.length > 10 ? ", …" : ""}`);
      }
      return added;
    });
  }

  async #pollOne(name: string, call: MirrorCall): Promise<number> {
    const { mirrors, git } = this.#options;
    // What another poll has just told is not told again.
    const source = (await this.#sources(call)).find((each) => each.name === name);
    if (source === undefined) return 0;
    const moved = (heads: ReadonlyMap<string, string>): [string, string][] =>
      [...heads].filter(([branch, head]) => fits(source.branches, branch) && source.heads[branch] !== head);
    if (moved(await mirrors.heads(source.url, call)).length === 0) {
      return this.#add({ repository: name, commits: [] }, call);
    }
    const cwd = await mirrors.update(source.url, call);
    let added = 0;
    for (const [branch, head] of moved(await mirrors.ownHeads(cwd, call))) {
      const known = source.heads[branch];
      const found = await newCommits({ head, known, most: MOST_COMMITS }, { ...git, ...call, cwd });
      added += await this.#tell(name, branch, found, call);
    }
    return added;
  }

  async #tell(repository: string, branch: string, found: readonly FoundCommit[], call: MirrorCall): Promise<number> {
    let sum = 0;
    for (let at = 0; at < found.length; at += PART) {
      const commits = found.slice(at, at + PART).map((commit) => Object.assign({ branch }, commit));
      sum += await this.#add({ repository, commits }, call);
    }
    return sum;
  }

  async #add(found: Found, { signal }: MirrorCall): Promise<number> {
    const { added } = await this.#options.desk.ask(
      `commits of ${found.repository}`,
      (desk, options) => desk.addCommits(found, options),
      { signal, maxTries: TRIES },
    );
    return added;
  }

  async #sources({ signal }: MirrorCall): Promise<Source[]> {
    const ask = { signal, maxTries: TRIES };
    return this.#options.desk.ask("repositories", (desk, options) => desk.repositories(undefined, options), ask);
  }
}

function unknownRepository(names: readonly string[]): CommandFailure {
  return new CommandFailure(
    "Unknown repository",
    `${names.join(", ")}: no repository of the configuration has this name`,
  );
}
