import type { BuildOrder } from "../../contracts/bot.ts";
import { withoutSecrets } from "../../repository-url.ts";
import type { Delivery } from "../desk/delivery.ts";
import { findCommit, type FoundCommit } from "../git/commits.ts";
import { GitError } from "../git/git.ts";
import { makeWorkTree } from "../git/work-tree.ts";
import type { SecretMask } from "../log/secret-mask.ts";
import type { BuildSettings } from "./build-settings.ts";
import type { StepOutcome } from "./outcome.ts";
import { beginStep } from "./step-log.ts";

export interface CheckoutRun {
  readonly settings: BuildSettings;
  readonly order: BuildOrder;
  readonly tree: string;
  readonly spool: string;
  readonly delivery: Delivery;
  readonly mask: SecretMask;
  readonly abort: AbortController;
}

/** Step 0: brings the mirror up to date and makes the work tree. `commit` undefined: it has failed. Never rejects. */
export async function checkOut(run: CheckoutRun): Promise<StepOutcome & { readonly commit?: FoundCommit }> {
  const { settings, order, delivery, mask, abort, tree } = run;
  let lost: Error | undefined;
  const log = beginStep({
    settings,
    delivery,
    seq: 0,
    name: "checkout",
    spool: run.spool,
    mask,
    onFailure: (error) => {
      lost = error;
      abort.abort();
    },
  });
  const { clock, env, groups } = settings;
  const call = { signal: abort.signal, say: (line: string) => log.pump.head(line) };
  let outcome: StepOutcome & { readonly commit?: FoundCommit };
  try {
    const url = order.repositoryUrl;
    log.pump.head(`${withoutSecrets(url)}, ${order.revision ?? `branch ${order.branch}`}`);
    const mirror = await settings.mirrors.update(url, call, order.revision);
    const git = { clock, env, groups, ...call };
    const commit = await findCommit({ branch: order.branch, revision: order.revision }, { ...git, cwd: mirror });
    await makeWorkTree({ mirror, path: tree, hash: commit.hash, url }, git);
    log.pump.head(`${commit.hash} ${commit.subject}`);
    outcome = { results: "success", summary: commit.hash.slice(0, 12), commit };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    if (lost !== undefined) outcome = { results: "exception", summary: `the bot cannot keep the log: ${lost.message}` };
    else if (abort.signal.aborted) outcome = { results: "cancelled", summary: "stopped" };
    else if (error instanceof GitError) outcome = { results: "failure", summary: why };
    else outcome = { results: "exception", summary: `the bot: ${why}` };
    log.pump.head(outcome.summary);
  }
  await log.ended(outcome);
  return outcome;
}
