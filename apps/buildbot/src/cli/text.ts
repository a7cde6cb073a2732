import { stripVTControlCharacters } from "node:util";

/** Whatever steers a terminal, hides text or turns its direction. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
/** Colours and weights: all that a line of a log may do to a terminal. */
// oxlint-disable-next-line no-control-regex
const COLOUR = /(\u001b\[[\d;:]{0,40}m)/;
const RESET = "\u001b[0m";

/** Text from a server, on one line and harmless: anybody who can write a commit's subject chooses it. Cut after `most` characters. */
export function plain(text: string, most: number = Number.POSITIVE_INFINITY): string {
  const kept = text.length > most ? `${text.slice(0, most).toWellFormed()}…` : text;
  return kept.replace(UNSEEN, (unseen) => (unseen === "\t" ? "\t" : unseen === "\u200d" ? unseen : writtenOut(unseen)));
}

/** A line of a log: with its colours where they are wanted, and nothing else that a terminal would obey. */
export function logLine(text: string, isColoured: boolean): string {
  if (!text.includes("\u001b")) return dropUnseen(text);
  if (!isColoured) return dropUnseen(stripVTControlCharacters(text));
  const parts = text.split(COLOUR);
  const line = parts.map((part, at) => (at % 2 === 1 ? part : dropUnseen(stripVTControlCharacters(part)))).join("");
  return parts.length > 1 ? line + RESET : line;
}

export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function dropUnseen(text: string): string {
  // A line that was written over (progress bars) shows what stood there last.
  const shown = text.replace(/\r+$/, "");
  return shown
    .slice(shown.lastIndexOf("\r") + 1)
    .replace(UNSEEN, (unseen) => (unseen === "\t" || unseen === "\u200d" ? unseen : ""));
}

function writtenOut(unseen: string): string {
  return `\\u{${(unseen.codePointAt(0) ?? 0).toString(16)}}`;
}
