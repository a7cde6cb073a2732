import { XMLParser } from "fast-xml-parser";
import { FaultCode, FaultError } from "../fault.ts";
import { cleanMarkup } from "./markup.ts";
import { type Counter, refuseIllegal } from "./xml-text.ts";

/** Told what a document holds, in order. What it throws ends the reading. */
export interface XmlSink extends Counter {
  /** An element begins. Its name is not checked yet; attributes are left out but for bound prefixes. */
  open(name: string): void;
  /** Character data with its references; one run of text may come in several pieces. */
  text(raw: string): void;
  /** The innermost element ends; the reader has not compared the names. */
  close(name: string): void;
  /** A prefix is bound to a name space. */
  bind(prefix: string, namespace: string): void;
  /** The document ends. */
  end(): void;
}

/** Names that the library refuses, as they stand in a tag. */
const RESERVED: ReadonlySet<string> = new Set(
  ["__proto__", "constructor", "prototype"].flatMap((name) => [name, `${name}/`]),
);

/** The part of fast-xml-parser's path matcher that is used. */
interface Path {
  getDepth(): number;
}

/**
 * fast-xml-parser as a stream of events. Its tree and its path strings would cost most of the time, so nothing is added to the tree:
 * `updateTag` answers false for every element and `tagValueProcessor` keeps the text.
 *
 * There is no hook at a closing tag, but `transformTagName` is called with every name, opening or closing, before text that stands in front of the tag is
 * handed over. A name that no `updateTag` followed was a closing one. `<a />` alone transforms its name twice; by then the path is one
 * deeper, which tells it from `</a><a>`.
 *
 * What the library takes for granted is checked here and in `cleanMarkup`: comments, processing instructions and CDATA are gone before it
 * reads, attributes are checked, and the sink compares the names.
 */
export class XmlReader {
  readonly #parser: XMLParser;
  #sink: XmlSink | undefined;
  #pending: string | undefined;
  #empty = false;
  #depth = 0;
  #path: Path | undefined;

  constructor() {
    this.#parser = new XMLParser({
      preserveOrder: true,
      trimValues: false,
      parseTagValue: false,
      processEntities: false,
      ignoreAttributes: true,
      strictReservedNames: false,
      jPath: false,
      // Depth is the sink's to limit.
      maxNestedTags: Number.MAX_SAFE_INTEGER,
      onDangerousProperty: (name) => name,
      transformTagName: (name) => this.#named(name),
      updateTag: (name, path) => this.#opened(name, path as Path),
      tagValueProcessor: (_name, text) => {
        this.#sink?.text(text);
        return "";
      },
    });
  }

  /** Reads a whole document. Throws FaultError -32700 where it is not well-formed, and whatever the sink throws. */
  read(document: string, sink: XmlSink): void {
    this.#sink = sink;
    this.#pending = undefined;
    this.#empty = false;
    this.#depth = 0;
    this.#path = undefined;
    try {
      refuseIllegal(document);
      this.#parser.parse(cleanMarkup(document, sink));
      this.#resolve();
      if (this.#depth !== 0) throw notWellFormed("an element is not closed");
      sink.end();
    } catch (thrown) {
      if (thrown instanceof FaultError) throw thrown;
      throw new FaultError(
        FaultCode.NotWellFormed,
        `ParserError: ${thrown instanceof Error ? thrown.message.slice(0, 200) : "not well-formed"}`,
        { cause: thrown },
      );
    } finally {
      this.#sink = undefined;
    }
  }

  #named(name: string): string {
    if (this.#pending !== undefined) {
      if (this.#path === undefined || this.#path.getDepth() > this.#depth) {
        this.#empty = true;
        return name;
      }
      this.#resolve();
    }
    // The library refuses these three with an error of its own; here they are names like any other, and no type.
    if (RESERVED.has(name)) {
      throw new FaultError(FaultCode.InvalidRequest, `ValueError: unexpected element <${name}>`);
    }
    this.#pending = name;
    return name;
  }

  /** A name that still waits was a closing one. */
  #resolve(): void {
    if (this.#pending === undefined) return;
    if (--this.#depth < 0) throw notWellFormed(`</${this.#pending}> closes nothing`);
    this.#sink?.close(this.#pending);
    this.#pending = undefined;
  }

  #opened(name: string, path: Path): false {
    this.#pending = undefined;
    this.#path = path;
    this.#sink?.open(name);
    if (this.#empty) {
      this.#empty = false;
      this.#sink?.close(name);
    } else {
      this.#depth++;
    }
    return false;
  }
}

function notWellFormed(what: string): FaultError {
  return new FaultError(FaultCode.NotWellFormed, `ParserError: ${what}`);
}
