import { type EntityDecoderOptions, XMLParser } from "fast-xml-parser";
import { FaultError } from "../fault.ts";
import { invalid, notWellFormed } from "./faults.ts";
import { LongTexts } from "./long-texts.ts";
import { checkTags, cleanMarkup } from "./markup.ts";
import { readPlain } from "./plain-documents.ts";
import { Tag, tagName, tagOf } from "./tags.ts";
import { type Counter, refuseIllegal } from "./xml-text.ts";

/** Told what a document holds, in order. What it throws ends the reading. */
export interface XmlSink extends Counter {
  /** An element begins. A name that is not known is not checked either; attributes are left out but for bound prefixes. */
  open(tag: number, name: string): void;
  /** Character data with its references; one run of text comes in one piece. */
  text(raw: string): void;
  /** An element ends; the reader has not compared the names. */
  close(tag: number, name: string): void;
  /** A prefix is bound to a name space. */
  bind(prefix: string, namespace: string): void;
  /** The document ends. */
  end(): void;
}

/** The part of fast-xml-parser's path matcher that is used. */
interface Path {
  getDepth(): number;
}

/**
 * Plain documents are read in one pass over their tags (`readPlain`); all others by fast-xml-parser, which spends most of a small document's
 * time on what XML-RPC has no use for. Both tell the same, as `test/plain-documents.test.ts` holds.
 *
 * fast-xml-parser as a stream of events. Its tree costs a third of its time and most of its memory, so nothing is added to it: `updateTag`
 * answers false for every element and `tagValueProcessor` keeps the text.
 *
 * There is no hook at a closing tag, but `transformTagName` is called with every name, opening or closing, before the text in front of the
 * tag is handed over. A name that no `updateTag` followed was a closing one. `<a />` alone transforms its name twice; by then the path is
 * one deeper, which tells it from `</a><a>`.
 *
 * What the library takes for granted is checked beside it: comments, processing instructions and CDATA are gone before it reads
 * (`cleanMarkup`), the sink compares the names, and what it has told of must add up to the length of the document: where it does not, tags
 * have attributes or blanks, and `checkTags` looks at each.
 */
export class XmlReader {
  readonly #parser: XMLParser;
  #sink: XmlSink | undefined;
  #texts: LongTexts | undefined;
  #pending: string | undefined;
  #pendingTag: number = Tag.Unknown;
  #empty = false;
  #depth = 0;
  /** Characters of the document that are accounted for. */
  #length = 0;
  #path: Path | undefined;
  readonly #triesPlain: boolean;

  /** `triesPlain`: false leaves every document to the library, for tests. */
  constructor(triesPlain = true) {
    this.#triesPlain = triesPlain;
    this.#parser = new XMLParser({
      preserveOrder: true,
      trimValues: false,
      parseTagValue: false,
      processEntities: false,
      entityDecoder: NO_ENTITIES,
      ignoreAttributes: true,
      strictReservedNames: false,
      jPath: false,
      // Depth is the sink's to limit.
      maxNestedTags: Number.MAX_SAFE_INTEGER,
      onDangerousProperty: (name) => name,
      transformTagName: (name) => this.#named(name),
      updateTag: (name, path) => this.#opened(name, path as Path),
      tagValueProcessor: (_name, text) => this.#texted(text),
    });
  }

  /**
   * Reads a whole document into a sink, and gives that. `createSink` may be asked twice, since a document that turns out not to be plain is
   * begun again. Throws FaultError -32700 where it is not well-formed, and whatever the sink throws.
   */
  read<S extends XmlSink>(document: string, createSink: () => S): S {
    refuseIllegal(document);
    if (this.#triesPlain) {
      const sink = createSink();
      if (readPlain(cleanMarkup(document, sink), sink)) return sink;
    }
    const sink = createSink();
    this.#parse(document, sink);
    return sink;
  }

  #parse(document: string, sink: XmlSink): void {
    this.#sink = sink;
    this.#pending = undefined;
    this.#empty = false;
    this.#depth = 0;
    this.#length = 0;
    this.#path = undefined;
    try {
      const markup = cleanMarkup(document, sink);
      const checked = markup.includes("xmlns:");
      if (checked) checkTags(markup, sink);
      this.#texts = new LongTexts(markup);
      this.#parser.parse(this.#texts.short);
      this.#resolve();
      if (this.#depth !== 0) throw notWellFormed("an element is not closed");
      if (!checked && this.#length !== this.#texts.short.length) checkTags(markup, sink);
      sink.end();
    } catch (thrown) {
      if (thrown instanceof FaultError) throw thrown;
      const message = thrown instanceof Error ? thrown.message.slice(0, 200) : "not well-formed";
      throw notWellFormed(message, thrown);
    } finally {
      this.#sink = undefined;
      this.#texts = undefined;
    }
  }

  #named(name: string): string {
    if (this.#pending !== undefined) {
      if (this.#path === undefined || this.#path.getDepth() > this.#depth) {
        // Of `<a/>` the name came with its slash the first time.
        this.#pendingTag = tagOf(name);
        this.#empty = true;
        return name;
      }
      this.#resolve();
    }
    const tag = tagOf(name);
    this.#pendingTag = tag;
    if (tag === Tag.Unknown) return this.#unknown(name);
    // The library asks for the name in tables of its own, and a constant has its hash already.
    const constant = tagName(tag);
    this.#pending = constant;
    return constant;
  }

  #unknown(name: string): string {
    // The library refuses these three with an error of its own; here they are names like any other, and no type.
    if (RESERVED.has(name)) throw invalid(`unexpected element <${name}>`);
    this.#pending = name;
    return name;
  }

  /** A name that still waits was a closing one. */
  #resolve(): void {
    const name = this.#pending;
    if (name === undefined) return;
    if (--this.#depth < 0) throw notWellFormed(`</${name}> closes nothing`);
    this.#length += name.length + 3;
    this.#pending = undefined;
    this.#sink?.close(this.#pendingTag, name);
  }

  #opened(name: string, path: Path): false {
    this.#pending = undefined;
    this.#path = path;
    this.#sink?.open(this.#pendingTag, name);
    if (this.#empty) {
      this.#empty = false;
      this.#length += name.length + 3;
      this.#sink?.close(this.#pendingTag, name);
    } else {
      this.#depth++;
      this.#length += name.length + 2;
    }
    return false;
  }

  #texted(text: string): string {
    this.#length += text.length;
    this.#sink?.text(this.#texts?.of(text) ?? text);
    // Nothing is left for the tree.
    return "";
  }
}

/** References are ours to decode; a decoder of the library's own would be made anew for every document. */
const NO_ENTITIES: EntityDecoderOptions = {
  setExternalEntities: () => undefined,
  addInputEntities: () => undefined,
  setXmlVersion: () => undefined,
  reset: () => undefined,
  decode: (text) => text,
};

/** Names that the library refuses, as they stand in a tag. */
const RESERVED: ReadonlySet<string> = new Set(
  ["__proto__", "constructor", "prototype"].flatMap((name) => [name, `${name}/`]),
);
