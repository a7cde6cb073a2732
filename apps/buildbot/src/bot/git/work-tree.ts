import { git, type GitOptions } from "./git.ts";

/**
 * Makes a clean tree of one commit that shares the mirror's objects and nothing else of it: whatever a step does with git, the mirror stays as
 * it was. `url` is where `origin` leads to.
 */
export async function makeWorkTree(
  tree: { readonly mirror: string; readonly path: string; readonly hash: string; readonly url: string },
  options: Omit<GitOptions, "cwd">,
): Promise<void> {
  await git(["clone", "--quiet", "--shared", "--no-checkout", "--", tree.mirror, tree.path], options);
  const inside = { ...options, cwd: tree.path };
  await git(["-c", "advice.detachedHead=false", "checkout", "--quiet", "--force", "--detach", tree.hash, "--"], inside);
  await git(["remote", "set-url", "--", "origin", withoutUser(tree.url)], inside);
}

/** A step that wants to push has means of its own. */
function withoutUser(url: string): string {
  return url.replace(/^(https?:\/\/)[^/]*@/i, "$1");
}
