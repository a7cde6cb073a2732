import { RpcError } from "@rpc/core";
import { dynamicCodec } from "@rpc/core/transport";
import type { CommandRow, QueueStore } from "@rpc/db-queue";
import type { Command } from "commander";
import { databaseNow } from "../now.ts";
import type { Output } from "../output.ts";
import { runVerb, type Session } from "../session.ts";
import { errorText, isOver, isRecord, noteOf, styleOf, textIn, valueIn } from "../text/command.ts";
import { eventText, isPart } from "../text/event.ts";
import { commandMembers, jsonObject, RowJson } from "../text/json.ts";
import { plain, plainJson } from "../text/plain.ts";
import { isoTime, localDateTime, localTime, shortSpan } from "../text/time.ts";
import { commandId, wholeNumber } from "./arguments.ts";

interface ShowOptions {
  readonly events: number;
  readonly json?: boolean;
}

type StoredEvent = Awaited<ReturnType<QueueStore["readEvents"]>>[number];

const PAGE = 1000;
const MOST_COPIES = 1000;
const LONGEST = 20_000;

export function addShow(program: Command): void {
  program
    .command("show")
    .description("everything of one command: what was asked, when, by whom, what came of it, its log")
    .argument("<id>", "of the command", commandId)
    .option("--events <count>", "the last so many", wholeNumber(0, 1_000_000), 100)
    .option("--json", "a JSON object")
    .action((id: number, options: ShowOptions, command: Command) =>
      runVerb(command, (session) => show(session, id, options)),
    );
}

async function show({ store, queue, output }: Session, id: number, options: ShowOptions): Promise<void> {
  const row = await queue.handle(id).row();
  const { events, earlier } = await lastEvents(store, id, options.events);
  const isBroadcast = row.state === "waiting" || (row.result !== undefined && row.attempts === 0);
  const copies = isBroadcast ? await queue.list({ parentId: id, limit: MOST_COPIES }) : [];
  if (options.json === true) {
    const said = events.map(({ seq, at, kind, data }) => ({ seq, at: isoTime(at), kind, data: new RowJson(data) }));
    return output.line(
      jsonObject({
        ...commandMembers(row),
        events: new RowJson(`[${said.map(jsonObject).join(",")}]`),
        copies: copies.length === 0 ? undefined : copies.map((copy) => copy.id).toReversed(),
      }),
    );
  }
  const page = new Page(output);
  const style = styleOf(row.state);
  const state = style === undefined ? row.state : output.styled(row.state, style);
  output.line(`${output.styled(`command ${id}`, "bold")}  ${state}`);
  page.add("address", plain(row.address));
  page.add("method", plain(row.method));
  page.json("arguments", row.args, "[]");
  page.json("by name", row.kwargs, "{}");
  page.json("meta", row.meta, "{}");
  page.add("options", optionsText(row));
  addTimes(page, row, await databaseNow(queue));
  page.add("cancelled", cancelText(row));
  if (row.progress !== undefined) page.json("progress", row.progress);
  if (row.result !== undefined) page.json("result", await resultText(row.result, queue.handle(id)));
  if (row.error !== undefined) await addError(page, row, queue.handle(id));
  addCopies(output, copies);
  addEvents(output, events, earlier);
}

/** Lines with their names in a column. */
class Page {
  readonly #output: Output;

  constructor(output: Output) {
    this.#output = output;
  }

  /** Nothing for an empty text. */
  add(name: string, text: string): void {
    if (text !== "") this.#output.line(`${this.#output.styled(name.padEnd(11), "dim")} ${text}`);
  }

  json(name: string, json: string, usual?: string): void {
    if (json !== usual)
      this.add(name, plainJson(json.length > LONGEST ? `${json.slice(0, LONGEST).toWellFormed()}…` : json));
  }
}

/** Where it is too large for the row, it is read from where it stands. */
async function resultText(json: string, outcome: PromiseLike<unknown>): Promise<string> {
  const result = valueIn(json);
  if (!isRecord(result) || !Object.hasOwn(result, "$spill")) return json;
  return dynamicCodec.stringify(await outcome);
}

function optionsText(row: CommandRow): string {
  const parts: string[] = [];
  if (row.priority !== 0) parts.push(`priority ${row.priority}`);
  if (row.orderingKey !== undefined) parts.push(`ordering key ${plain(row.orderingKey)}`);
  if (row.idempotencyKey !== undefined) parts.push(`idempotency key ${plain(row.idempotencyKey)}`);
  if (row.targetAgent !== undefined) parts.push(`for agent ${plain(row.targetAgent)}`);
  if (row.parentId !== undefined) parts.push(`copy of broadcast ${row.parentId}`);
  if (row.notification) parts.push("notification: deleted when it ends");
  return parts.join(", ");
}

function addTimes(page: Page, row: CommandRow, now: number): void {
  const issuer = row.createdBy === undefined ? "" : ` by ${plain(row.createdBy)}`;
  page.add("created", `${localDateTime(row.createdAt)}${issuer}`);
  if (row.notBeforeAt > row.createdAt) page.add("due", moment(row.notBeforeAt, now));
  if (row.expiresAt !== undefined) page.add("expires", moment(row.expiresAt, now));
  if (row.claimedAt !== undefined) {
    const waited = row.claimedAt >= row.notBeforeAt ? `, waited ${shortSpan(row.claimedAt - row.notBeforeAt)}` : "";
    page.add("claimed", `${localDateTime(row.claimedAt)} by ${agentText(row)}${waited}`);
  }
  page.add("tries", `${row.attempts} of ${row.maxAttempts}`);
  if (row.leaseUntilAt !== undefined) page.add("lease until", moment(row.leaseUntilAt, now));
  if (row.finishedAt !== undefined) page.add("finished", `${localDateTime(row.finishedAt)}${ranText(row)}`);
  if (!isOver(row.state)) page.add("note", noteOf(row, now));
}

function moment(at: number, now: number): string {
  const distance = at > now ? `in ${shortSpan(at - now)}` : `${shortSpan(now - at)} ago`;
  return `${localDateTime(at)}, ${distance}`;
}

function agentText({ agent, incarnation }: CommandRow): string {
  return incarnation === undefined ? plain(agent ?? "?") : `${plain(agent ?? "?")} (${plain(incarnation)})`;
}

function ranText({ claimedAt, finishedAt }: CommandRow): string {
  if (claimedAt === undefined || finishedAt === undefined || finishedAt < claimedAt) return "";
  return `, ran ${shortSpan(finishedAt - claimedAt)}`;
}

function cancelText({ cancelRequestedAt, cancelReason }: CommandRow): string {
  const reason = cancelReason === undefined || cancelReason === "" ? "" : `: ${plain(cancelReason)}`;
  return cancelRequestedAt === undefined ? reason.slice(2) : `asked at ${localDateTime(cancelRequestedAt)}${reason}`;
}

/** What whoever awaits the command is told; of one that is tried again, what the last try has said. */
async function addError(page: Page, row: CommandRow, outcome: PromiseLike<unknown>): Promise<void> {
  const json = row.error ?? "";
  if (!isOver(row.state)) return page.add("last error", errorText(json));
  page.add("error", errorText(json, LONGEST));
  try {
    await outcome;
  } catch (thrown) {
    const { code, reason, delivered, retryable, message } = RpcError.from(thrown);
    const parts = [code, `reason ${reason ?? "none"}`, `delivered ${delivered ?? "yes"}`];
    page.add("to callers", plain([...parts, ...(retryable ? ["retryable"] : [])].join(", ")));
    page.add("", plain(message, LONGEST));
  }
  const error = valueIn(json);
  const stack = isRecord(error) ? textIn(error, "stack") : undefined;
  for (const line of stack?.split("\n").slice(0, 100) ?? []) page.add("stack", plain(line));
}

function addCopies(output: Output, copies: readonly CommandRow[]): void {
  if (copies.length === 0) return;
  output.line(`\n${output.styled("copies", "bold")}`);
  for (const copy of copies.toReversed()) {
    const style = styleOf(copy.state);
    const state = copy.state.padEnd(9);
    const note = copy.error === undefined ? "" : `  ${errorText(copy.error)}`;
    output.line(
      `${copy.id}  ${style === undefined ? state : output.styled(state, style)}  ${plain(copy.targetAgent ?? "")}${note}`,
    );
  }
}

function addEvents(output: Output, events: readonly StoredEvent[], earlier: number): void {
  if (events.length === 0) return;
  output.line(`\n${output.styled("events", "bold")}`);
  if (earlier > 0) output.line(output.styled(`${earlier} earlier ones: --events ${earlier + events.length}`, "dim"));
  for (const event of events) {
    const { kind, level, text } = eventText(event);
    const word = level === "" ? kind : level;
    output.line(`${output.styled(localTime(event.at), "dim")}  ${word.padEnd(8)}  ${text}`);
  }
}

/** Events are read from the first on; only the last ones are kept. */
async function lastEvents(
  store: QueueStore,
  id: number,
  count: number,
): Promise<{ readonly events: readonly StoredEvent[]; readonly earlier: number }> {
  let events: StoredEvent[] = [];
  let read = 0;
  let afterSeq = 0;
  for (;;) {
    const page = await store.readEvents(id, { afterSeq, limit: PAGE });
    afterSeq = page.at(-1)?.seq ?? afterSeq;
    const shown = page.filter((event) => !isPart(event));
    read += shown.length;
    const all = [...events, ...shown];
    events = all.slice(Math.max(0, all.length - Math.max(1, count)));
    if (page.length < PAGE) break;
  }
  if (count === 0) events = [];
  return { events, earlier: read - events.length };
}
