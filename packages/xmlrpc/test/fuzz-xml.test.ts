import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createDocumentCodec } from "../src/codec/create-document-codec.ts";
import { FaultError } from "../src/fault.ts";
import { bytesOf, callOf } from "./documents.ts";
import { charactersLookedAt } from "./work-count.ts";

const codec = createDocumentCodec();
const strict = createDocumentCodec("strict");

const CALL = callOf("<value>x</value>");

describe("reading in bounded work", () => {
  const SIZE = 200_000;
  /** How often each character is looked at, at most: a step that is quadratic looks at each thousands of times. */
  const MOST = 25;
  const fill = (piece: string): string => piece.repeat(Math.ceil(SIZE / piece.length));

  /** How often each character of a document is looked at. */
  const looksAt = (document: string): number => {
    const bytes = bytesOf(document);
    const characters = charactersLookedAt(() => {
      try {
        codec.decodeCall(bytes, undefined);
      } catch (thrown) {
        if (!(thrown instanceof FaultError)) throw thrown;
      }
    });
    return characters / bytes.length;
  };

  it.for([
    ["blanks in a tag", () => CALL.replace("<value>", `<value${fill(" ")}>`)],
    ["blanks in text", () => callOf(`<value>x${fill(" ")}y</value>`)],
    ["blanks between elements", () => callOf(`${fill(" ")}<value/>${fill("\n")}`)],
    ["blanks behind the root", () => `${CALL}${fill(" ")}`],
    ["open tags without end", () => `${CALL}${fill("<a ")}`],
    ["less-than signs", () => `${CALL}${fill("<")}`],
    ["quotes in a tag", () => CALL.replace("<value>", `<value ${fill("'")}>`)],
    ["names without end", () => `<${fill("a")}`],
    ["ampersands", () => callOf(`<value>${fill("&")}</value>`)],
    ["amps", () => callOf(`<value>${fill("&amp;")}</value>`)],
    ["comments", () => callOf(`<value>${fill("<!-- -->")}</value>`)],
    ["open comments", () => callOf(`<value>${fill("<!-")}</value>`)],
    ["instructions", () => callOf(`<value>${fill("<?x?>")}</value>`)],
    ["CDATA", () => callOf(`<value>${fill("<![CDATA[]]>")}</value>`)],
    ["CDATA full of brackets", () => callOf(`<value><![CDATA[${fill("]")}]]></value>`)],
    ["digits", () => callOf(`<value><double>${fill("1")}</double></value>`)],
    ["base64 full of blanks", () => callOf(`<value><base64>${fill("A ")}</base64></value>`)],
    ["dates", () => callOf(`<value><dateTime.iso8601>${fill("1998")}</dateTime.iso8601></value>`)],
    ["carriage returns", () => callOf(`<value>${fill("\r")}</value>`)],
    ["pieces of text", () => callOf(`<value>${fill("a<!---->")}</value>`)],
    ["empty values", () => callOf(`<value><array><data>${fill("<value/>")}</data></array></value>`)],
    [
      "deep arrays side by side",
      () =>
        callOf(
          `<value><array><data>${fill(`${"<value><array><data>".repeat(60)}${"</data></array></value>".repeat(60)}`)}</data></array></value>`,
        ),
    ],
    [
      "attributes",
      () => CALL.replace("<value>", `<value ${Array.from({ length: 20_000 }, (_, i) => `a${i}="1"`).join(" ")}>`),
    ],
  ] as const)("H115 looks at each character a bounded number of times: %s", ([, document]) => {
    expect(looksAt(document())).toBeLessThan(MOST);
  });

  it("would see a step that is quadratic", () => {
    const document = callOf(`<value>${fill("&amp;")}</value>`);
    const characters = charactersLookedAt(() => {
      for (let at = document.indexOf("&"); at !== -1; at = document.indexOf("&", at + 1)) document.includes("#", at);
    });
    expect(characters / document.length).toBeGreaterThan(100 * MOST);
  });
});

const seeds = [
  CALL,
  codec.encodeCall("a.b", [1, "x<y>&", [true, null, 2.5], { k: new Date(0), b: Uint8Array.of(1, 2, 3) }, 2n ** 40n]),
  `<?xml version="1.0" encoding="utf-8"?><!-- c -->${callOf("<value a='1'> <![CDATA[x]]>&#65; </value>")}`,
  codec.encodeReply([{ a: 1 }, { b: [] }]),
  codec.encodeFault({ code: 4, message: "x" }),
];
const pieces = fc.constantFrom(
  "<",
  ">",
  "/",
  "&",
  ";",
  '"',
  "'",
  "=",
  " ",
  "\n",
  "<!--",
  "-->",
  "<![CDATA[",
  "]]>",
  "<?x",
  "?>",
  "<!DOCTYPE",
  "&#0;",
  "&lt;",
  "<value>",
  "</value>",
  "<value/>",
  "<int>",
  "</int>",
  "<array>",
  "<data>",
  "</data>",
  "<struct>",
  "<member>",
  "<name>",
  "<nil/>",
  "<x>",
  "</x>",
  "\u0000",
  "\ufffe",
  "\u{1f600}",
  "__proto__",
  "constructor",
  "xmlns:ex=''",
);
/** Cuts, doubles and pieces at random places of a document. */
const mutated = fc
  .tuple(
    fc.constantFrom(...seeds),
    fc.array(fc.tuple(fc.nat(), fc.nat(30), fc.oneof(pieces, fc.string({ maxLength: 5 }), fc.constant(""))), {
      maxLength: 6,
    }),
  )
  .map(([seed, cuts]) => {
    let text = seed;
    for (const [place, length, piece] of cuts) {
      const at = place % (text.length + 1);
      text = text.slice(0, at) + piece + text.slice(at + length);
    }
    return text;
  });

describe("X39 fuzz", () => {
  /** Codes of the faults that each codec's each reading gives; 0 for a value. Anything else that is thrown goes on. */
  const answers = (bytes: Uint8Array, contentType?: string): number[] =>
    [codec, strict].flatMap((reader) => [
      answer(() => reader.decodeCall(bytes, contentType)),
      answer(() => reader.decodeReply(bytes, contentType)),
    ]);
  const answer = (read: () => unknown): number => {
    try {
      read();
      return 0;
    } catch (thrown) {
      if (thrown instanceof FaultError) return thrown.fault.code;
      throw thrown;
    }
  };
  const CODES = [0, -32_700, -32_701, -32_702, -32_600, -32_400];

  it("gives a value or a fault for any mutated document, never another exception", () => {
    fc.assert(
      fc.property(mutated, (document) => {
        expect(CODES).toEqual(expect.arrayContaining(answers(bytesOf(document), "text/xml; charset=utf-8")));
      }),
      { numRuns: 3_000 },
    );
  });

  it("gives a value or a fault for any bytes and any charset", () => {
    const charset = fc.constantFrom("utf-8", "utf-16", "us-ascii", "iso-8859-15", "x", undefined);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), charset, (bytes, name) => {
        const contentType = name === undefined ? undefined : `text/xml; charset=${name}`;
        expect(CODES).toEqual(expect.arrayContaining(answers(bytes, contentType)));
      }),
      { numRuns: 2_000 },
    );
  });

  it("reads on after any fault as if nothing had been", () => {
    fc.assert(
      fc.property(mutated, (document) => {
        answers(bytesOf(document));
        expect(codec.decodeCall(bytesOf(CALL), undefined)).toEqual({ method: "t", params: ["x"] });
      }),
      { numRuns: 300 },
    );
  });
});
