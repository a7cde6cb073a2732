import type { FaultError } from "../fault.ts";
import { notWellFormed } from "./faults.ts";
import { TextBuilder } from "./text-builder.ts";

/** Characters and references of XML 1.0, fifth edition. */

/** Not allowed in any document, in whatever form. Surrogates are looked at separately: a pair is one legal character. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const ILLEGAL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;

/** Refuses a decoded document that has characters which XML forbids. */
export function refuseIllegal(text: string): void {
  const at = text.search(ILLEGAL);
  if (at !== -1) {
    throw notWellFormed(
      `character U+${text.charCodeAt(at).toString(16).toUpperCase().padStart(4, "0")} at ${at} is not allowed in XML`,
    );
  }
}

/** Counts what stands in a document beside its elements. */
export interface Counter {
  count(number: number): void;
}

/**
 * Text with its references decoded: the five predefined entities and numbers of legal characters. Anything else, and a lone `&`, is
 * -32700. Numeric references are counted.
 */
export function decodeReferences(text: string, counter: Counter): string {
  let ampersand = text.indexOf("&");
  if (ampersand === -1) return text;
  const out = new TextBuilder();
  let from = 0;
  while (ampersand !== -1) {
    // The longest is &#1114111; and leading zeros are legal: a bound keeps a flood of `&` linear.
    let semicolon = ampersand + 1;
    const bound = Math.min(text.length, ampersand + 24);
    while (semicolon < bound && text.charCodeAt(semicolon) !== 59) semicolon++;
    const name = text.slice(ampersand + 1, semicolon);
    if (semicolon === bound) throw undefinedEntity(name);
    out.add(text.slice(from, ampersand));
    out.add(referenced(name, counter));
    from = semicolon + 1;
    ampersand = text.indexOf("&", from);
  }
  out.add(text.slice(from));
  return out.finish();
}

function referenced(name: string, counter: Counter): string {
  switch (name) {
    case "lt":
      return "<";
    case "gt":
      return ">";
    case "amp":
      return "&";
    case "quot":
      return '"';
    case "apos":
      return "'";
  }
  const number = /^#(?:x([0-9a-fA-F]{1,20})|(\d{1,20}))$/.exec(name);
  if (number === null) throw undefinedEntity(name);
  counter.count(1);
  const code = number[1] === undefined ? Number(number[2]) : Number.parseInt(number[1], 16);
  if (!isLegal(code)) throw notWellFormed(`&${name}; is no character of XML`);
  return String.fromCodePoint(code);
}

function isLegal(code: number): boolean {
  return (
    (code >= 0x20 && code <= 0xd7ff) ||
    code === 9 ||
    code === 10 ||
    code === 13 ||
    (code >= 0xe000 && code <= 0xfffd) ||
    (code >= 0x10000 && code <= 0x10ffff)
  );
}

function undefinedEntity(name: string): FaultError {
  return notWellFormed(`undefined entity &${name.slice(0, 20)};`);
}

// What stops the fast path: markup, CR (which a reader would turn into LF), what XML forbids, and any half of a pair.
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const SPECIAL = /[&<>\r\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff]/;
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

/** Text as character data, or undefined when it has characters that XML cannot say and `replace` is false. */
export function escapeText(text: string, replace: boolean): string | undefined {
  if (!SPECIAL.test(text)) return text;
  let legal = text;
  if (!text.isWellFormed() || text.search(ILLEGAL) !== -1) {
    if (!replace) return undefined;
    legal = text.toWellFormed().replace(FORBIDDEN, "\ufffd");
  }
  return legal.replace(/[&<>\r]/g, (character) => ESCAPES[character] ?? character);
}

const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;" };
