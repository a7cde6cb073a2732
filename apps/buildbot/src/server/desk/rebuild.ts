import { RpcError } from "@rpc/core";
import type { BuildRequest } from "../../contracts/values.ts";
import { getBuildSummary, getRequest, insertRequest, listRequests, type Tx } from "../store/index.ts";

const MOST_PENDING = 500;

/**
 * A new request like that of a build, for the revision that it built; the one that is there, while an earlier wish for the same is pending. Call
 * in a transaction. NOT_FOUND: there is no such build, or no builder of its name any more.
 */
export async function requestRebuild(
  { db }: Tx,
  build: number,
  { by, at }: { readonly by: string; readonly at: number },
): Promise<{ readonly request: BuildRequest; readonly isNew: boolean }> {
  const summary = await getBuildSummary(db, build);
  const like = summary && (await getRequest(db, summary.requestId));
  if (summary === undefined || like === undefined) throw new RpcError("NOT_FOUND", `there is no build ${build}`);
  const reason = `rebuild of #${summary.number}`;
  const revision = summary.revision === "" ? like.revision : summary.revision;
  const pending = await listRequests(db, { builder: summary.builder, pendingOnly: true, limit: MOST_PENDING });
  const same = pending.find((each) => each.reason === reason && each.revision === revision);
  if (same !== undefined) return { request: same, isNew: false };
  const { builder, branch, priority, properties } = like;
  const request = await insertRequest(db, { builder, branch, revision, reason, priority, properties, by, at });
  if (request === undefined) throw new RpcError("NOT_FOUND", `there is no builder ${builder} any more`);
  return { request, isNew: true };
}
