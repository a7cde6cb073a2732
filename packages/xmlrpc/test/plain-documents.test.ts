import * as fc from "fast-check";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Decoder, type DecoderRules } from "../src/codec/decoder.ts";
import { readPlain } from "../src/codec/plain-documents.ts";
import { Tag } from "../src/codec/tags.ts";
import { XmlReader } from "../src/codec/xml-reader.ts";
import { FaultError } from "../src/fault.ts";
import { DEFAULT_DOCUMENT_LIMITS } from "../src/profiles.ts";
import { callOf } from "./documents.ts";

const RULES: DecoderRules = {
  strict: false,
  nonFinite: false,
  preferNumber: false,
  asDate: false,
  asMap: false,
  limits: DEFAULT_DOCUMENT_LIMITS,
};

const both = new XmlReader();
const libraryAlone = new XmlReader(false);

/** What a reader makes of a document. Of one with two faults either may be met first, so which of them is told does not count. */
function read(reader: XmlReader, document: string, root: typeof Tag.MethodCall | typeof Tag.MethodResponse): unknown {
  try {
    const { method, params, fault } = reader.read(document, () => new Decoder(root, RULES));
    return { method, params, fault };
  } catch (thrown) {
    if (thrown instanceof FaultError) return "refused";
    throw thrown;
  }
}

/** What a reader makes of a document, taken for a call and for an answer. */
function meaning(reader: XmlReader, document: string): unknown {
  return [read(reader, document, Tag.MethodCall), read(reader, document, Tag.MethodResponse)];
}

function isPlain(document: string): boolean {
  try {
    return readPlain(document, new Decoder(Tag.MethodCall, RULES));
  } catch (thrown) {
    if (thrown instanceof FaultError) return true;
    throw thrown;
  }
}

interface VectorFile {
  readonly vectors: readonly { readonly xml?: string }[];
}

const vectors = JSON.parse(readFileSync(new URL("vectors/xmlrpc.json", import.meta.url), "utf8")) as VectorFile;

/** What tags and texts of hostile and ordinary documents are made of. */
const piece = fc.constantFrom(
  ...["methodCall", "methodName", "params", "param", "value", "array", "data", "struct", "member", "name"].flatMap(
    (name) => [`<${name}>`, `</${name}>`, `<${name}/>`],
  ),
  ...["int", "string", "double", "nil", "i8", "boolean", "base64"].flatMap((name) => [`<${name}>`, `</${name}>`]),
  "1",
  "x",
  " ",
  "\r\n",
  "\r",
  ">",
  "]]>",
  "&amp;",
  "&#13;",
  "&",
  "<!-- c -->",
  "<?pi?>",
  "<![CDATA[<b>]]>",
  "<value >",
  "</value >",
  "<a/>",
  "<a b='1'/>",
  "<ex:nil/>",
  "</value/>",
  "<>",
  "</>",
  "<",
  "<//value>",
  "<value//>",
  "a text that is longer than a short one, so that it would be a view of the document",
);

describe("plain documents", () => {
  it.each([
    ["bare tags and texts", callOf("<value><int>1</int></value>"), true],
    ["empty tags", callOf("<value><nil/></value>"), true],
    ["an attribute", callOf('<value a="1">x</value>'), false],
    ["white space in a tag", callOf("<value >x</value>"), false],
    ["a prefix", callOf("<value><ex:nil/></value>"), false],
    ["a name that is not known", callOf("<value><x/></value>"), false],
  ])("are told by their tags: %s", (_what, document, plain) => {
    expect(isPlain(document)).toBe(plain);
  });

  it("mean what the library makes of them: vectors", () => {
    const documents = vectors.vectors.flatMap(({ xml = [] }) => xml);
    expect(documents.map((document) => meaning(both, document))).toEqual(
      documents.map((document) => meaning(libraryAlone, document)),
    );
  });

  it("mean what the library makes of them: documents put together at random", () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.boolean(), (pieces, inValue) => {
        const document = inValue ? callOf(`<value>${pieces.join("")}</value>`) : pieces.join("");
        expect(meaning(both, document)).toEqual(meaning(libraryAlone, document));
      }),
      { numRuns: 3_000 },
    );
  });

  it("mean what the library makes of them: good documents with a part taken out, doubled or moved", () => {
    const good = callOf(
      "<value><struct><member><name>a</name><value><array><data><value><int>1</int></value><value>x &lt; y</value></data></array></value></member><member><name>b</name><value><nil/></value></member></struct></value>",
    );
    const at = fc.nat(good.length);
    fc.assert(
      fc.property(at, at, at, (one, two, three) => {
        const [start, end] = one < two ? [one, two] : [two, one];
        const without = good.slice(0, start) + good.slice(end);
        const doubled = good.slice(0, end) + good.slice(start);
        const moved = good.slice(0, three) + good.slice(start, end) + good.slice(three);
        for (const document of [without, doubled, moved])
          expect(meaning(both, document)).toEqual(meaning(libraryAlone, document));
      }),
      { numRuns: 1_000 },
    );
  });
});
