import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** A repository with a work tree of its own, to push from. */
export interface Repository {
  readonly path: string;
  git(...args: string[]): string;
  /** Writes files and commits them. Gives the hash. */
  commit(subject: string, files?: Record<string, string>): string;
}

export function makeRepository(path: string): Repository {
  mkdirSync(path, { recursive: true });
  const git = (...args: string[]): string =>
    execFileSync(
      "git",
      ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false", ...args],
      {
        cwd: path,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
      },
    ).trim();
  git("init", "--quiet", "--initial-branch=main");
  return {
    path,
    git,
    commit: (subject, files = {}) => {
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(path, name)), { recursive: true });
        writeFileSync(join(path, name), text);
      }
      git("add", "--all");
      git("commit", "--quiet", "--allow-empty", "--message", subject);
      return git("rev-parse", "HEAD");
    },
  };
}
