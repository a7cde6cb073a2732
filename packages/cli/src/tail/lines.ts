import type { Output, Style } from "../output.ts";
import { argumentsText, errorText, noteOf, styleOf } from "../text/command.ts";
import { eventText } from "../text/event.ts";
import { jsonObject, RowJson } from "../text/json.ts";
import { plain, plainJson } from "../text/plain.ts";
import { isoTime, localTime, shortSpan } from "../text/time.ts";
import type { Entry } from "./entry.ts";

const LONGEST = 200;

/** For people. `hasAddress`: several addresses are mixed. */
export function entryLine({ styled }: Output, entry: Entry, hasAddress: boolean): string {
  const [word, style] = wordOf(entry);
  const { row } = entry;
  const time = entry.at === undefined ? " ".repeat(12) : localTime(entry.at);
  const name = hasAddress ? `${plain(row.address, LONGEST)} ${plain(row.method, LONGEST)}` : plain(row.method, LONGEST);
  const said = style === undefined ? word.padEnd(10) : styled(word.padEnd(10), style);
  const text = textOf(entry);
  return `${styled(time, "dim")}  ${String(row.id).padStart(6)}  ${said}  ${name}${text === "" ? "" : `  ${text}`}`;
}

/** For programs: when, id, what, address, method, text, with tabs between. */
export function entryTabs(entry: Entry): string {
  const { row, at } = entry;
  const time = at === undefined ? "" : isoTime(at);
  return [time, String(row.id), wordOf(entry)[0], plain(row.address), plain(row.method), textOf(entry)].join("\t");
}

export function entryJson(entry: Entry): string {
  const { row, at, kind, event } = entry;
  const { id, address, method, state, attempts, agent } = row;
  const when = at === undefined ? undefined : isoTime(at);
  const what = { at: when, id, what: wordIn(entry), address, method, state, attempts, agent };
  if (event !== undefined) return jsonObject({ ...what, seq: event.seq, data: new RowJson(event.data) });
  const rowJson = (text: string | undefined): RowJson | undefined =>
    text === undefined ? undefined : new RowJson(text);
  const asked = kind === "queued" || kind === "is" ? { args: rowJson(row.args), kwargs: rowJson(row.kwargs) } : {};
  const reason = row.cancelReason;
  if (kind !== "ended" && kind !== "is") return jsonObject({ ...what, ...asked, cancelReason: reason });
  return jsonObject({
    ...what,
    ...asked,
    cancelReason: reason,
    result: rowJson(row.result),
    error: rowJson(row.error),
  });
}

/** What has happened, in one word: that of an event is its kind. */
function wordIn({ kind, row, event }: Entry): string {
  if (event !== undefined) return event.kind;
  return kind === "is" || kind === "ended" ? row.state : kind;
}

function wordOf(entry: Entry): readonly [string, Style | undefined] {
  const { kind, row, event } = entry;
  if (event !== undefined) {
    const { kind: name, level } = eventText(event);
    return [level === "" ? name : level, levelStyle(level)];
  }
  if (kind === "claimed") return [kind, styleOf("claimed")];
  if (kind === "requeued" || kind === "cancelling") return [kind, "yellow"];
  return [wordIn(entry), kind === "deleted" ? "dim" : kind === "queued" ? undefined : styleOf(row.state)];
}

function levelStyle(level: string): Style {
  if (level === "error" || level === "critical") return "red";
  return level === "warning" ? "yellow" : "cyan";
}

function textOf({ kind, row, at, event }: Entry): string {
  if (event !== undefined) return eventText(event).text;
  switch (kind) {
    case "is":
      return noteOf(row, at ?? 0);
    case "queued":
      return argumentsText(row, LONGEST);
    case "claimed":
      return `by ${plain(row.agent ?? "?", LONGEST)}${row.maxAttempts > 1 ? `, try ${row.attempts} of ${row.maxAttempts}` : ""}`;
    case "requeued":
      return row.error === undefined ? "given back" : `after ${errorText(row.error)}`;
    case "cancelling":
      return plain(row.cancelReason ?? "", LONGEST);
    case "deleted":
      return row.notification ? "ended: nobody wanted its outcome" : "";
    case "ended":
      return endText(row);
    case "event":
      return "";
    default:
      return kind satisfies never;
  }
}

function endText(row: Entry["row"]): string {
  const { claimedAt, finishedAt, state } = row;
  const ran =
    claimedAt === undefined || finishedAt === undefined || finishedAt < claimedAt || state === "expired"
      ? ""
      : `ran ${shortSpan(finishedAt - claimedAt)}`;
  const text = state === "done" ? plainJson((row.result ?? "").slice(0, LONGEST)) : noteOf(row, 0);
  return [ran, text].filter((part) => part !== "").join("  ");
}
