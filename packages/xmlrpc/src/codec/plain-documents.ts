import { notWellFormed } from "./faults.ts";
import { Tag, tagName, tagOf } from "./tags.ts";
import type { XmlSink } from "./xml-reader.ts";

/** Shorter parts of a text are copies already: V8 keeps longer ones as views, which keep the whole document in memory. */
const SHORTEST_VIEW = 13;

/**
 * Reads a document all of whose tags are known names and nothing else, as nearly every program writes them. Of the first other tag, one with
 * attributes, a prefix, white space or a name that is not known, it gives false and leaves the sink half told: the library reads such a
 * document, from the start. `markup` is what `cleanMarkup` leaves. Throws what the sink throws, and -32700 where elements are left open.
 */
export function readPlain(markup: string, sink: XmlSink): boolean {
  const text = markup.includes("\r") ? markup.replaceAll(/\r\n?/g, "\n") : markup;
  let depth = 0;
  let at = 0;
  for (;;) {
    // `cleanMarkup` has seen to it that the first character is one and the last one ends a tag.
    const end = text.indexOf(">", at);
    if (end === -1) return false;
    const closes = text.charCodeAt(at + 1) === SLASH;
    const isEmpty = text.charCodeAt(end - 1) === SLASH;
    const tag = tagOf(text.slice(closes ? at + 2 : at + 1, isEmpty ? end - 1 : end));
    if (tag === Tag.Unknown || (closes && isEmpty)) return false;
    const name = tagName(tag);
    if (closes) {
      depth--;
      sink.close(tag, name);
    } else {
      sink.open(tag, name);
      if (isEmpty) sink.close(tag, name);
      else depth++;
    }
    at = text.indexOf("<", end + 1);
    if (at === -1) break;
    if (at > end + 1) sink.text(detached(text.slice(end + 1, at)));
  }
  if (depth !== 0) throw notWellFormed("an element is not closed");
  sink.end();
  return true;
}

const SLASH = 47;

function detached(part: string): string {
  return part.length < SHORTEST_VIEW ? part : ` ${part}`.slice(1);
}
