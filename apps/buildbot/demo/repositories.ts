import { execFileSync } from "node:child_process";
import { cpSync, existsSync, realpathSync } from "node:fs";
import { join, resolve } from "node:path";

/** Of this checkout. */
export const ROOT: string = resolve(import.meta.dirname, "..", "..", "..");
const SAMPLE = join(import.meta.dirname, "..", "sample");

export interface Source {
  readonly url: string;
  readonly branch: string;
}

function git(cwd: string, ...args: string[]): string {
  const who = ["-c", "user.name=Demo", "-c", "user.email=demo@localhost", "-c", "commit.gpgsign=false"];
  return execFileSync("git", [...who, ...args], { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
}

/** Bots need it; undefined: there is none. */
export function gitVersion(): string | undefined {
  try {
    return git(ROOT, "--version");
  } catch {
    return undefined;
  }
}

/** A repository of the bundled sample, made at the first start. What is committed into it later is built as well. */
export function sampleRepository(folder: string): Source {
  if (!existsSync(join(folder, ".git"))) {
    cpSync(SAMPLE, folder, { recursive: true });
    git(folder, "init", "--quiet", "--initial-branch=main");
    git(folder, "add", "--all");
    git(folder, "commit", "--quiet", "--message", "Begin the sample");
  }
  return { url: folder, branch: "main" };
}

/** A bare clone of what this checkout has committed, brought up to date at each start; undefined where it is no checkout. */
export function cloneOfCheckout(folder: string): Source | undefined {
  try {
    if (realpathSync(git(ROOT, "rev-parse", "--show-toplevel")) !== realpathSync(ROOT)) return undefined;
    git(ROOT, "rev-parse", "--verify", "--quiet", "HEAD^{commit}");
  } catch {
    return undefined;
  }
  if (!existsSync(join(folder, "HEAD"))) git(ROOT, "init", "--quiet", "--bare", "--initial-branch=main", folder);
  // A shallow checkout, as CI makes it, gives what it has.
  git(folder, "fetch", "--quiet", "--force", "--update-shallow", ROOT, "HEAD:refs/heads/main");
  return { url: folder, branch: "main" };
}
