import { createHash } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { withoutSecrets } from "../../repository-url.ts";
import { KeyedLock } from "../keyed-lock.ts";
import { git, GitError, type GitOptions } from "./git.ts";

export type GitSettings = Pick<GitOptions, "clock" | "env" | "groups">;

export interface MirrorCall {
  readonly signal: AbortSignal;
  readonly say?: ((line: string) => void) | undefined;
}

/** Branches and tags; what hosts keep besides (`refs/pull/…`) may be many times as much. */
const WANTED = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];

/** A fetch adds a pack, or loose objects when they are few. With more of them than that everything becomes slow. */
const MOST_PACKS = 50;
/** In one of the 256 folders that loose objects are spread over. */
const MOST_LOOSE = 20;

/** Bare copies of repositories below one folder. Of one repository, one thing at a time. */
export class Mirrors {
  readonly #folder: string;
  readonly #settings: GitSettings;
  readonly #lock = new KeyedLock();

  constructor(folder: string, settings: GitSettings) {
    this.#folder = folder;
    this.#settings = settings;
  }

  /** Brings the copy up to date and gives its folder. `have`: a commit that is enough, if it is there already. Rejects with a GitError. */
  update(url: string, call: MirrorCall, have?: string): Promise<string> {
    const path = this.pathOf(url);
    return this.#lock.run(path, async () => {
      const isThere = await exists(path);
      if (isThere && have !== undefined && isFullHash(have) && (await this.#has(path, have, call))) {
        await touch(path);
        return path;
      }
      try {
        await (isThere ? this.#fetch(path, url, call) : this.#begin(path, url, call));
      } catch (error) {
        if (!isThere || call.signal.aborted) throw error;
        // If it is not the other end, it is the copy: a crash may have left half an object.
        await this.heads(url, call);
        call.say?.(`the mirror is made anew: ${error instanceof Error ? error.message : String(error)}`);
        await this.#begin(path, url, call);
      }
      await touch(path);
      if (have !== undefined && isFullHash(have) && !(await this.#has(path, have, call)))
        await this.#ask(path, url, have, call);
      return path;
    });
  }

  /** What the branches are at over there. Rejects with a GitError. */
  async heads(url: string, call: MirrorCall): Promise<Map<string, string>> {
    const options = { ...this.#settings, ...call, maxMs: 120_000 };
    return headsOf(await gitOf(url, ["ls-remote", "--quiet", "--heads", "--", url], options));
  }

  /** What the branches are at in a mirror. */
  async ownHeads(path: string, { signal }: MirrorCall): Promise<Map<string, string>> {
    const format = "--format=%(objectname)%09%(refname)";
    return headsOf(await git(["for-each-ref", format, "refs/heads"], { ...this.#settings, signal, cwd: path }));
  }

  pathOf(url: string): string {
    const name = withoutSecrets(url)
      .replaceAll(/[^\w.]+/g, "-")
      .slice(-40)
      .replace(/^[-.]+/, "");
    return join(this.#folder, `${name}-${createHash("sha256").update(url).digest("hex").slice(0, 12)}.git`);
  }

  /** What a bot that was killed has left: locks that nobody holds any more, and halves of copies. */
  async unlock(): Promise<void> {
    for (const entry of await readdir(this.#folder, { withFileTypes: true }).catch(() => [])) {
      const path = join(this.#folder, entry.name);
      if (entry.name.endsWith(".new")) await rm(path, { recursive: true, force: true });
      else if (entry.isDirectory()) await removeLocks(path);
    }
  }

  /** Removes those that nobody has used since `before`, milliseconds since 1970. How many. */
  async removeUnused(before: number): Promise<number> {
    let removed = 0;
    for (const name of await namesIn(this.#folder)) {
      const path = join(this.#folder, name);
      // One that is being made has its lock under the name that it will have.
      if (name.endsWith(".new") || this.#lock.has(path)) continue;
      await this.#lock.run(path, async () => {
        const { mtimeMs } = await stat(path);
        if (mtimeMs >= before) return;
        await rm(path, { recursive: true, force: true });
        removed += 1;
      });
    }
    return removed;
  }

  /** Makes few packs of many, and leaves the large ones: who builds waits meanwhile. What no branch has any more stays: builds may borrow it. Rejects with a GitError. */
  async tidy(call: MirrorCall, mostPacks: number = MOST_PACKS): Promise<void> {
    for (const name of await namesIn(this.#folder)) {
      const path = join(this.#folder, name);
      const packs = (await namesIn(join(path, "objects", "pack"))).filter((each) => each.endsWith(".pack"));
      const loose = await namesIn(join(path, "objects", "17"));
      if (name.endsWith(".new") || (packs.length <= mostPacks && loose.length <= MOST_LOOSE)) continue;
      const options = { ...this.#settings, ...call, cwd: path };
      await this.#lock.run(path, () => git(["repack", "-d", "--geometric=2", "--quiet"], options));
    }
  }

  async #begin(path: string, url: string, call: MirrorCall): Promise<void> {
    const fresh = `${path}.new`;
    await mkdir(this.#folder, { recursive: true });
    await rm(fresh, { recursive: true, force: true });
    await git(["init", "--quiet", "--bare", "--", fresh], { ...this.#settings, ...call });
    await this.#fetch(fresh, url, call);
    // One that is there goes when the new one is whole: builds borrow its objects.
    const gone = `${path}.gone.new`;
    await rm(gone, { recursive: true, force: true });
    await rename(path, gone).catch(() => undefined);
    await rename(fresh, path);
    await rm(gone, { recursive: true, force: true });
  }

  async #fetch(path: string, url: string, call: MirrorCall): Promise<void> {
    const options = { ...this.#settings, ...call, cwd: path };
    await gitOf(url, ["fetch", "--quiet", "--prune", "--no-tags", "--force", "--", url, ...WANTED], options);
  }

  /** A commit that no branch has any more: many hosts give it all the same. */
  async #ask(path: string, url: string, hash: string, call: MirrorCall): Promise<void> {
    const quiet = { ...this.#settings, signal: call.signal, cwd: path };
    await git(["fetch", "--quiet", "--no-tags", "--", url, hash], quiet).catch((error: unknown) => {
      if (!(error instanceof GitError)) throw error;
    });
  }

  async #has(path: string, hash: string, { signal }: MirrorCall): Promise<boolean> {
    return git(["cat-file", "-e", `${hash}^{commit}`], { ...this.#settings, signal, cwd: path }).then(
      () => true,
      () => false,
    );
  }
}

export function isFullHash(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

function headsOf(text: string): Map<string, string> {
  const heads = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [hash, name] = line.split("\t");
    if (hash !== undefined && name?.startsWith("refs/heads/") === true) {
      heads.set(name.slice("refs/heads/".length), hash);
    }
  }
  return heads;
}

/** What git says of an address may hold how to get in. */
async function gitOf(url: string, args: readonly string[], options: GitOptions): Promise<string> {
  const { say } = options;
  try {
    return await git(args, say === undefined ? options : { ...options, say: (line) => say(withoutSecrets(line, url)) });
  } catch (error) {
    throw error instanceof GitError ? new GitError(withoutSecrets(error.message, url)) : error;
  }
}

/** It is in use. */
async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch(() => undefined);
}

function namesIn(path: string): Promise<string[]> {
  return readdir(path).catch(() => []);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function removeLocks(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== "objects") await removeLocks(path);
    else if (entry.isFile() && entry.name.endsWith(".lock")) await rm(path, { force: true });
  }
}
