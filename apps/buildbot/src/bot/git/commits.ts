import { cut } from "../../cut.ts";
import { git, GitError, type GitOptions } from "./git.ts";
import { isFullHash } from "./mirror.ts";

export interface FoundCommit {
  readonly hash: string;
  readonly parent?: string;
  readonly author: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly subject: string;
}

type Call = GitOptions & { readonly cwd: string };

const FIELDS = "%H%x00%P%x00%an <%ae>%x00%ct%x00%s%x00";
const MOST_TEXT = 500;

/** The commit that a revision or, without one, a branch stands for. Rejects with a GitError that names it. */
export async function findCommit(
  wanted: { readonly branch: string; readonly revision?: string | undefined },
  call: Call,
): Promise<FoundCommit> {
  const { branch, revision } = wanted;
  const name = revision === undefined || revision === "" ? `refs/heads/${branch}` : revision;
  const hash = await git(["rev-parse", "--verify", "--quiet", "--end-of-options", `${name}^{commit}`], call).catch(
    (error: unknown) => {
      if (!(error instanceof GitError) || call.signal.aborted) throw error;
      const what = name === revision ? `no commit ${revision}` : `no branch ${branch}`;
      throw new GitError(`there is ${what} in the repository (any more)`);
    },
  );
  const [commit] = await describe([hash.trim()], call);
  if (commit === undefined) throw new GitError(`git does not know ${hash.trim()}`);
  return commit;
}

/** These commits, in the order in which they are asked for; unknown ones are left out. */
export async function describe(hashes: readonly string[], call: Call): Promise<FoundCommit[]> {
  const known: string[] = [];
  for (const hash of hashes) {
    if (!isFullHash(hash)) continue;
    const isThere = await git(["cat-file", "-e", `${hash}^{commit}`], call).then(
      () => true,
      () => false,
    );
    if (isThere) known.push(hash);
  }
  if (known.length === 0) return [];
  return parseLog(
    await git(["log", "--no-walk=unsorted", "--encoding=UTF-8", `--format=${FIELDS}`, ...known, "--"], call),
  );
}

/** What a branch has got since `known`, the oldest first, at most `most`. Without `known`, or when it is not of the branch any more: its head. */
export async function newCommits(
  { head, known, most }: { readonly head: string; readonly known: string | undefined; readonly most: number },
  call: Call,
): Promise<FoundCommit[]> {
  const isOfBranch =
    known !== undefined &&
    isFullHash(known) &&
    (await git(["merge-base", "--is-ancestor", known, head], call).then(
      () => true,
      () => false,
    ));
  const range = isOfBranch ? ["--first-parent", `--max-count=${most}`, `${known}..${head}`] : ["--max-count=1", head];
  return parseLog(await git(["log", "--encoding=UTF-8", `--format=${FIELDS}`, ...range, "--"], call)).toReversed();
}

function parseLog(text: string): FoundCommit[] {
  const parts = text.split("\0");
  const commits: FoundCommit[] = [];
  for (let at = 0; at + 4 < parts.length; at += 5) {
    const [hash = "", parents = "", author = "", seconds = "", subject = ""] = parts.slice(at, at + 5);
    const [parent] = parents.split(" ");
    commits.push({
      hash: hash.trim(),
      ...(parent === undefined || parent === "" ? {} : { parent }),
      author: cut(author, MOST_TEXT),
      at: Number(seconds) * 1000,
      subject: cut(subject, MOST_TEXT),
    });
  }
  return commits;
}
