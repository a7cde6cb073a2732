import type { FaultError } from "../fault.ts";
import { notWellFormed } from "./faults.ts";
import { isBlankCode, trimBlanks } from "./scalars.ts";
import { TextBuilder } from "./text-builder.ts";
import type { XmlSink } from "./xml-reader.ts";
import { type Counter, decodeReferences } from "./xml-text.ts";

/**
 * The document with nothing left but elements and text: declaration, comments and processing instructions are taken out and counted, CDATA
 * becomes escaped text. Most documents hold none of these, and then this is a few searches. Any `<!DOCTYPE` ends
 * it, before anything is built.
 */
export function cleanMarkup(document: string, counter: Counter): string {
  let markup = withoutDeclaration(document);
  if (markup.includes("<!") || markup.includes("<?")) markup = withoutSections(markup, counter);
  else if (markup.includes("]]>")) throw notWellFormed('"]]>" stands in text');
  markup = trimBlanks(markup);
  if (markup.charCodeAt(0) !== 60 || markup.charCodeAt(1) === 47 || markup.charCodeAt(markup.length - 1) !== 62) {
    throw notWellFormed("text outside the root element");
  }
  return markup;
}

const DECLARATION =
  /^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.\d+"|'1\.\d+')(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"[\w.-]+"|'[\w.-]+'))?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"yes"|'yes'|"no"|'no'))?[ \t\r\n]*\?>/;

function withoutDeclaration(text: string): string {
  const declaration = DECLARATION.exec(text.slice(0, 256));
  return declaration === null ? text : text.slice(declaration[0].length);
}

const SECTION = /<[!?]/g;

/** Takes comments and processing instructions out and turns CDATA into text. */
function withoutSections(text: string, counter: Counter): string {
  const out = new TextBuilder();
  let from = 0;
  // Searched for only when the last one found was passed: many sections would otherwise search the whole rest each.
  let cdataEnd = text.indexOf("]]>");
  for (;;) {
    SECTION.lastIndex = from;
    const at = SECTION.exec(text)?.index ?? text.length;
    if (cdataEnd !== -1 && cdataEnd < from) cdataEnd = text.indexOf("]]>", from);
    if (cdataEnd !== -1 && cdataEnd < at) throw notWellFormed('"]]>" stands in text');
    out.add(text.slice(from, at));
    if (at === text.length) return out.finish();
    counter.count(1);
    if (text.startsWith("<!--", at)) {
      const end = text.indexOf("--", at + 4);
      if (end === -1 || text.charCodeAt(end + 2) !== 62) throw notWellFormed("a comment does not end as it must");
      from = end + 3;
    } else if (text.startsWith("<![CDATA[", at)) {
      const end = text.indexOf("]]>", at + 9);
      if (end === -1) throw notWellFormed("CDATA does not end");
      out.add(text.slice(at + 9, end).replace(/[&<>]/g, escaped));
      from = end + 3;
    } else if (text.startsWith("<?", at)) {
      from = afterInstruction(text, at);
    } else {
      throw notWellFormed("document type declarations are refused");
    }
  }
}

function escaped(character: string): string {
  return character === "&" ? "&amp;" : character === "<" ? "&lt;" : "&gt;";
}

const TARGET = /^[A-Za-z_:\u0080-\uffff][\w.:\u0080-\uffff-]*(?=[ \t\r\n]|$)/;

function afterInstruction(text: string, at: number): number {
  const end = text.indexOf("?>", at + 2);
  const target = end === -1 ? null : TARGET.exec(text.slice(at + 2, Math.min(end, at + 256)));
  if (target === null) throw notWellFormed("a processing instruction is malformed");
  if (target[0].toLowerCase() === "xml") throw notWellFormed("the XML declaration is malformed or not at the start");
  return end + 2;
}

/** A tag that is more than a name: it has attributes, or white space before its end. */
const SPACED = /<\/?[^\s<>]*[ \t\r\n]/g;

/** Refuses tags with malformed attributes; counts the others' and tells the sink of bound prefixes. */
export function checkTags(markup: string, sink: XmlSink): void {
  SPACED.lastIndex = 0;
  for (let found = SPACED.exec(markup); found !== null; found = SPACED.exec(markup)) {
    SPACED.lastIndex = afterTag(markup, found.index, sink);
  }
}

function afterTag(markup: string, at: number, sink: XmlSink): number {
  const closing = markup.charCodeAt(at + 1) === 47;
  let position = afterName(markup, closing ? at + 2 : at + 1, at);
  const names = new Set<string>();
  for (;;) {
    const next = afterBlanks(markup, position);
    const code = markup.charCodeAt(next);
    if (code === 62) return next + 1;
    if (code === 47 && markup.charCodeAt(next + 1) === 62 && !closing) return next + 2;
    if (next === position || closing) throw malformed(markup, at);
    position = afterName(markup, next, at);
    const name = markup.slice(next, position);
    const equals = afterBlanks(markup, position);
    const quote = afterBlanks(markup, equals + 1);
    const mark = markup[quote];
    if (markup.charCodeAt(equals) !== 61 || (mark !== '"' && mark !== "'")) throw malformed(markup, at);
    const end = markup.indexOf(mark, quote + 1);
    const value = end === -1 ? "<" : markup.slice(quote + 1, end);
    if (value.includes("<") || names.has(name)) throw malformed(markup, at);
    names.add(name);
    sink.count(1);
    const text = decodeReferences(value, sink);
    if (name.startsWith("xmlns:")) sink.bind(name.slice(6), text);
    position = end + 1;
  }
}

function afterBlanks(markup: string, from: number): number {
  let at = from;
  while (isBlankCode(markup.charCodeAt(at))) at++;
  return at;
}

/** Behind a name that begins here; an empty one is malformed. */
function afterName(markup: string, from: number, tag: number): number {
  let at = from;
  for (; at < markup.length; at++) {
    const code = markup.charCodeAt(at);
    // " ' / < = > and white space
    if (isBlankCode(code) || code === 34 || code === 39 || code === 47 || (code >= 60 && code <= 62)) break;
  }
  if (at === from) throw malformed(markup, tag);
  return at;
}

function malformed(markup: string, at: number): FaultError {
  return notWellFormed(`malformed tag ${JSON.stringify(markup.slice(at, at + 40))}`);
}
