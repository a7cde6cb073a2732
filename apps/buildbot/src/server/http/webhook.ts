import { createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { z } from "zod";
import { Ref } from "../../contracts/values.ts";
import { cut } from "../../cut.ts";
import type { Bus } from "../bus.ts";
import { addCommits, listRepositories, type NewCommit, type Store } from "../store/index.ts";
import { fits } from "../store/patterns.ts";
import { answerJson, type Bodies, say, typeOf } from "./answers.ts";

/** GitHub sends no more. */
const MOST_BYTES = 25 * 1024 * 1024;
const MOST_SUBJECT_CHARS = 500;

const PushedCommit = z.object({
  id: z.string().regex(/^[0-9a-f]{40,64}$/),
  message: z.string(),
  timestamp: z.string(),
  author: z.object({ name: z.string().default(""), email: z.string().default("") }),
});
const Push = z.object({
  ref: Ref,
  after: z.string(),
  deleted: z.boolean().optional(),
  commits: z.array(PushedCommit).default([]),
  head_commit: PushedCommit.nullish(),
});
type Push = z.infer<typeof Push>;

export interface WebhookParts {
  readonly store: Store;
  readonly bus: Bus;
  readonly bodies: Bodies;
}

/** `POST /webhook/<repository>`: what GitHub, Gitea and Forgejo send after a push, signed with the repository's secret. */
export async function webhook(
  { store, bus, bodies }: WebhookParts,
  repository: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await bodies.read(request, MOST_BYTES);
  const found = (await listRepositories(store.db)).find(({ name }) => name === repository);
  if (!isSigned(request, body, found?.webhookSecret)) {
    return say(
      response,
      403,
      "there is no such repository, it has no webhookSecret, or the signature is not made with it",
    );
  }
  if (found === undefined) return;
  if (typeOf(request) !== "application/json") return say(response, 415, "let the webhook send application/json");
  const event = request.headers["x-gitea-event"] ?? request.headers["x-github-event"];
  if (event !== "push") return answerJson(response, 200, { added: 0, note: `nothing is done about ${String(event)}` });
  const push = Push.safeParse(parsed(body));
  if (!push.success) return say(response, 400, `this is no push: ${z.prettifyError(push.error)}`);
  const branch = /^refs\/heads\/(?<branch>.+)$/s.exec(push.data.ref)?.groups?.["branch"];
  const isWatched = branch !== undefined && push.data.deleted !== true && fits(found.branches, branch);
  if (!isWatched) return answerJson(response, 200, { added: 0, note: "no branch that is looked at" });
  const commits = commitsOf(push.data, branch);
  const added = (await store.transaction((tx) => addCommits(tx, { repository, commits, at: store.wallClock() }))) ?? [];
  if (added.length > 0) bus.emit("commitsAdded", added);
  answerJson(response, 200, { added: added.length });
}

/** In constant time, and as much work for a repository that is not there. */
function isSigned({ headers }: IncomingMessage, body: Buffer, secret: string | undefined): boolean {
  const github = /^sha256=(?<hex>.*)$/.exec(String(headers["x-hub-signature-256"] ?? ""))?.groups?.["hex"];
  const shown = github ?? String(headers["x-gitea-signature"] ?? "");
  const expected = createHmac("sha256", secret === undefined || secret === "" ? "none" : secret)
    .update(body)
    .digest();
  const given = Buffer.from(/^[0-9a-f]{64}$/i.test(shown) ? shown : "0".repeat(64), "hex");
  return timingSafeEqual(given, expected) && secret !== undefined && secret !== "";
}

/** The oldest first, as they are built upon each other; the last one is what the branch is at. */
function commitsOf({ commits, after, head_commit: head }: Push, branch: string): NewCommit[] {
  const inOrder = commits[0]?.id === after ? commits.toReversed() : commits;
  const isWhole = inOrder.at(-1)?.id === after;
  const all = isWhole || head === null || head === undefined ? inOrder : [...inOrder, head];
  return all.map(({ id, message, timestamp, author }) => ({
    hash: id,
    branch,
    author: author.email === "" ? author.name : `${author.name} <${author.email}>`,
    at: Number.isNaN(Date.parse(timestamp)) ? 0 : Date.parse(timestamp),
    subject: cut(message.split("\n", 1)[0] ?? "", MOST_SUBJECT_CHARS),
  }));
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}
