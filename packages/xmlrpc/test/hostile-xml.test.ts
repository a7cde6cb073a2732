import { describe, expect, it } from "vitest";
import { createDocumentCodec } from "../src/codec/create-document-codec.ts";
import { FaultCode } from "../src/fault.ts";
import { bytesOf, callFault, callOf, decodeValue, faultIn, valueFault } from "./documents.ts";

const codec = createDocumentCodec();
const strict = createDocumentCodec("strict");
const { NotWellFormed, InvalidRequest, System } = FaultCode;

const CALL = callOf("<value>x</value>");

describe("documents that attack", () => {
  it("H109 any DOCTYPE, and two of them, are refused before a value is built", () => {
    for (const doctype of [
      "<!DOCTYPE methodCall>",
      "<!DOCTYPE a><!DOCTYPE b>",
      "<!doctype html>",
      '<!DOCTYPE methodCall SYSTEM "x.dtd">',
      "<!DOCTYPE l [<!ELEMENT l ANY>]>",
    ]) {
      expect(callFault(doctype + CALL)).toBe(NotWellFormed);
      expect(callFault(`<?xml version="1.0"?>\n<!-- c -->${doctype}${CALL}`)).toBe(NotWellFormed);
      expect(valueFault(`<value>${doctype}</value>`)).toBe(NotWellFormed);
      expect(callFault(CALL + doctype)).toBe(NotWellFormed);
    }
    for (const other of ['<!ENTITY x "y">', "<!ELEMENT x ANY>", "<!x>", "<!", "<![IGNORE[ x ]]>"]) {
      expect(valueFault(`<value>${other}</value>`)).toBe(NotWellFormed);
    }
  });

  it("H109 the word is text in CDATA and in a comment", () => {
    expect(decodeValue("<value><![CDATA[<!DOCTYPE a>]]><!-- <!DOCTYPE b> --></value>")).toBe("<!DOCTYPE a>");
  });

  it("H110 external and parameter entities are refused with the DOCTYPE that holds them", () => {
    for (const entity of [
      '<!ENTITY x SYSTEM "file:///etc/hostname">',
      '<!ENTITY x PUBLIC "p" "http://127.0.0.1:1/x">',
      '<!ENTITY % p SYSTEM "http://127.0.0.1:1/x">%p;',
    ]) {
      expect(callFault(`<!DOCTYPE l [${entity}]>${callOf("<value>&x;</value>")}`)).toBe(NotWellFormed);
    }
  });

  it("H111 billion laughs and quadratic blow-up end at the DOCTYPE", () => {
    const laughs = Array.from({ length: 10 }, (_, i) => `<!ENTITY l${i + 1} "${`&l${i};`.repeat(10)}">`).join("");
    expect(callFault(`<!DOCTYPE l [<!ENTITY l0 "lol">${laughs}]>${callOf("<value>&l10;</value>")}`)).toBe(
      NotWellFormed,
    );
    const wide = `<!DOCTYPE l [<!ENTITY a "${"a".repeat(50_000)}">]>${callOf(`<value>${"&a;".repeat(50_000)}</value>`)}`;
    expect(callFault(wide)).toBe(NotWellFormed);
  });

  it("H112 only the five entities are known, and mean what they mean", () => {
    expect(decodeValue("<value>&lt;&gt;&amp;&quot;&apos;&amp;lt;</value>")).toBe("<>&\"'&lt;");
    for (const entity of [
      "nbsp",
      "l.",
      "l.*",
      "lt;gt",
      "LT",
      "",
      " lt",
      "lt ",
      "#",
      "#x",
      "constructor",
      "__proto__",
    ]) {
      if (entity === "lt;gt") continue;
      expect(valueFault(`<value>&${entity};</value>`)).toBe(NotWellFormed);
    }
    for (const lone of ["&", "a & b", "&lt", "&#65", "&amp"]) {
      expect(valueFault(`<value>${lone}</value>`)).toBe(NotWellFormed);
    }
    expect(valueFault(`<value>${"&".repeat(100_000)}</value>`)).toBe(NotWellFormed);
  });

  it("H113 numeric references out of range, to NUL and to surrogates are refused", () => {
    for (const number of [
      "9999999",
      "x110000",
      "0",
      "x0",
      "00",
      "xD800",
      "xDFFF",
      "xFFFE",
      "xFFFF",
      "8",
      "x1F",
      "-1",
      "1e3",
      "x",
      "6 5",
    ]) {
      expect(valueFault(`<value>&#${number};</value>`)).toBe(NotWellFormed);
    }
    expect(valueFault(`<value>&#${"9".repeat(100_000)};</value>`)).toBe(NotWellFormed);
    expect(decodeValue("<value>&#x10FFFF;&#65;&#x00041;&#9;&#10;&#13;</value>")).toBe("\u{10ffff}AA\t\n\r");
  });

  it("H114 a million numeric references count towards the limit", () => {
    expect(valueFault(`<value>${"&#65;".repeat(1_000_000)}</value>`)).toBe(System);
    const small = createDocumentCodec({ limits: { maxElements: 20 } });
    expect(decodeValue(`<value>${"&#65;".repeat(15)}</value>`, small)).toHaveLength(15);
    expect(valueFault(`<value>${"&#65;".repeat(16)}</value>`, small)).toBe(System);
  });

  it("H115 nesting of 100,000 ends at the limit, and costs no stack", () => {
    const arrays = "<value><array><data>".repeat(100_000);
    expect(valueFault(arrays)).toBe(System);
    expect(valueFault(`${arrays}${"</data></array></value>".repeat(100_000)}`)).toBe(System);
    expect(valueFault("<value><struct><member><name>a</name>".repeat(100_000))).toBe(System);
    expect(valueFault("<x>".repeat(100_000))).toBe(InvalidRequest);
    expect(valueFault("<value>".repeat(100_000))).toBe(InvalidRequest);
    const deep = (levels: number): string =>
      `${"<value><array><data>".repeat(levels)}${"</data></array></value>".repeat(levels)}`;
    expect(decodeValue(deep(64))).toBeInstanceOf(Array);
    expect(valueFault(deep(65))).toBe(System);
    const deeper = createDocumentCodec({ limits: { maxDepth: 5_000 } });
    expect(decodeValue(deep(5_000), deeper)).toBeInstanceOf(Array);
  });

  it("H115 floods of attributes, comments and processing instructions count as elements", () => {
    const attributes = Array.from({ length: 1_000_000 }, (_, i) => ` a${i}="1"`).join("");
    expect(callFault(CALL.replace("<methodCall>", `<methodCall${attributes}>`))).toBe(System);
    expect(valueFault(`<value>${"<!---->".repeat(1_000_000)}</value>`)).toBe(System);
    expect(valueFault(`<value>${"<?x?>".repeat(1_000_000)}</value>`)).toBe(System);
    expect(valueFault(`<value>${"<![CDATA[]]>".repeat(1_000_000)}</value>`)).toBe(System);
    expect(decodeValue(`<value>a${"<!-- c --><?x y?>".repeat(1_000)}b</value>`)).toBe("ab");
  });

  it("H115 an attribute of 10 MB is read over", () => {
    const root = `methodCall a="${"x".repeat(10_000_000)}"`;
    expect(codec.decodeCall(bytesOf(callOf("<value>x</value>", root)), undefined).params).toEqual(["x"]);
    expect(callFault(callOf("<value>x</value>", `methodCall a="${"x".repeat(1_000_000)}`))).toBe(NotWellFormed);
  });

  it("H116 a million params, members or items end at the limit", () => {
    const param = "<param><value/></param>";
    expect(callFault(CALL.replace("<params>", `<params>${param.repeat(1_000_000)}`))).toBe(System);
    expect(valueFault(`<value><array><data>${"<value/>".repeat(1_000_000)}</data></array></value>`)).toBe(System);
    const member = "<member><name>a</name><value/></member>";
    expect(valueFault(`<value><struct>${member.repeat(10_001)}</struct></value>`)).toBe(System);
    expect(decodeValue(`<value><struct>${member.repeat(10_000)}</struct></value>`)).toEqual(
      Object.assign(Object.create(null) as object, { a: "" }),
    );
  });

  it("H116 texts and names end at their limits", () => {
    const mega = "x".repeat(4 * 1024 * 1024);
    expect(decodeValue(`<value>${mega}</value>`)).toHaveLength(mega.length);
    expect(valueFault(`<value>${mega}y</value>`)).toBe(System);
    expect(valueFault(`<value><base64>${mega}AAAA</base64></value>`)).toBe(System);
    expect(valueFault(`<value>${mega}<!-- -->y</value>`)).toBe(System);
    const name = (length: number): string =>
      `<value><struct><member><name>${"n".repeat(length)}</name><value/></member></struct></value>`;
    expect(Object.keys(decodeValue(name(1024)) as object)).toEqual(["n".repeat(1024)]);
    expect(valueFault(name(1025))).toBe(System);
    expect(callFault(CALL.replace(">t<", `>${"t".repeat(1025)}<`))).toBe(System);
  });

  it.for([
    ["closing tag without opening", "</methodCall>"],
    ["only a closing tag", "</a>"],
    ["missing closing tag", CALL.replace("</methodCall>", "")],
    ["missing closing tags", "<methodCall><methodName>t</methodName>"],
    ["crossed tags", CALL.replace("x</value></param>", "x</param></value>")],
    ["closing tag too many", `${CALL}</methodCall>`],
    ["closing tag of another name", CALL.replace("</value>", "</valu>")],
    ["closing tag in other case", CALL.replace("</value>", "</VALUE>")],
    ["closing tag that is empty too", CALL.replace("</value>", "</value/>")],
    ["closing tag with a blank in front", CALL.replace("</value>", "</ value>")],
    ["closing tag with an attribute", CALL.replace("</value>", '</value a="1">')],
    ["two roots", `${CALL}${CALL}`],
    ["second root that is empty", `${CALL}<x/>`],
    ["second root that is empty and spaced", `${CALL}<methodCall />`],
    ["text behind the root", `${CALL}x`],
    ["text in front of the root", `x${CALL}`],
    ["text between declaration and root", `<?xml version="1.0"?>x${CALL}`],
    ["text between comment and root", `<!-- c -->x${CALL}`],
    ["text behind a comment behind the root", `${CALL}<!-- c -->x`],
    ["reference behind the root", `${CALL}&amp;`],
    ["CDATA behind the root", `${CALL}<![CDATA[x]]>`],
    ["CDATA in front of the root", `<![CDATA[x]]>${CALL}`],
    ["nothing", ""],
    ["blanks", " \n\t"],
    ["a comment alone", "<!-- c -->"],
    ["a declaration alone", "<?xml version='1.0'?>"],
    ["declaration in the middle", CALL.replace("<params>", "<?xml version='1.0'?><params>")],
    ["declaration behind a blank", ` <?xml version='1.0'?>${CALL}`],
    ["declaration without version", `<?xml encoding='utf-8'?>${CALL}`],
    ["declaration of XML 2.0", `<?xml version='2.0'?>${CALL}`],
    ["open comment", `${CALL}<!-- c`],
    ["comment with two hyphens", `<!-- a -- b -->${CALL}`],
    ["open processing instruction", `${CALL}<?x`],
    ["processing instruction without a name", `<? x ?>${CALL}`],
    ["open CDATA", CALL.replace("x<", "<![CDATA[x<")],
    ["end of CDATA in text", CALL.replace("x<", "x]]><")],
    ["end of CDATA in text beside CDATA", CALL.replace("x<", "<![CDATA[a]]>]]><")],
    ["open tag", CALL.slice(0, -1)],
    ["tag in a tag", CALL.replace("<value>", "<value <int>")],
    ["blank in front of a name", CALL.replace("<value>", "< value>")],
    ["name that begins with a digit", CALL.replace("x<", "<1/><")],
    ["no name", CALL.replace("x<", "<><")],
    ["quotes in a name", CALL.replace("<value>", '<value"a>">')],
    ["attribute without value", CALL.replace("<value>", "<value a>")],
    ["attribute without quotes", CALL.replace("<value>", "<value a=1>")],
    ["attribute that does not end", CALL.replace("<value>", '<value a="1>')],
    ["attribute without a blank", CALL.replace("<value>", '<value a="1"b="2">')],
    ["attribute given twice", CALL.replace("<value>", '<value a="1" a="2">')],
    ["attribute with <", CALL.replace("<value>", '<value a="<">')],
    ["attribute with an unknown entity", CALL.replace("<value>", '<value a="&x;">')],
    ["slash in the middle of a tag", CALL.replace("<value>", "<value / >")],
    ["raw NUL", CALL.replace("x", "\u0000")],
    ["raw U+FFFF", CALL.replace("x", "\uffff")],
    ["mark in the middle of nothing", "\ufeff\ufeff<a/>"],
  ])("H117 not well-formed: %s", ([, document]) => {
    expect(callFault(document ?? "")).toBe(NotWellFormed);
    expect(callFault(document ?? "", strict)).toBe(NotWellFormed);
  });

  it.for([
    ["blanks in tags", CALL.replaceAll("value>", "value\t\n >")],
    ["attributes", CALL.replaceAll("<value>", "<value a='1>' b = \"'&lt;\"\n>")],
    ["empty elements with blanks", callOf("<value><string   /></value>").replace("</params>", "</params  >")],
    ["> in text", CALL.replace(">x<", ">x<!-- > --><").replace("x", "x")],
    ["blanks around the root", `\n ${CALL} \r\n\t`],
    ["a declaration with all its parts", `<?xml version="1.0" encoding='UTF-8' standalone="yes" ?>${CALL}`],
    [
      "comments and instructions everywhere",
      `<!-- a --><?b c?>${CALL.replaceAll("><", "><!-- d ' --><?e '\"?><")}<!-- f -->`,
    ],
  ])("H117 well-formed: %s", ([, document]) => {
    expect(codec.decodeCall(bytesOf(document ?? ""), undefined).method).toBe("t");
  });

  it("H118 what we write survives any text", () => {
    const nasty = "]]> --> <!-- <![CDATA[ & < > \r \r\n \t \" ' &amp; <?x?> \u0085\u2028 😈";
    const document = codec.encodeCall(nasty, [nasty, { [nasty]: nasty }, [nasty]]);
    const { method, params } = codec.decodeCall(bytesOf(document), undefined);
    expect(method).toBe(nasty);
    expect(params).toEqual([nasty, Object.assign(Object.create(null) as object, { [nasty]: nasty }), [nasty]]);
    const reply = codec.decodeReply(bytesOf(codec.encodeFault({ code: 4, message: nasty })), undefined);
    expect(reply).toEqual({ fault: { code: 4, message: nasty } });
    expect(document).not.toMatch(/]]>|\r|<!/);
  });

  it("H119 characters that XML forbids are refused, or replaced by option; in faults always replaced", () => {
    const replacing = createDocumentCodec({ illegalChars: "replace" });
    for (const text of [
      "\u0000",
      "a\u0001b",
      "\u000b",
      "\u001f",
      "\ud800",
      "x\udc00y",
      "\udc00\ud800",
      "\ufffe",
      "\uffff",
    ]) {
      for (const value of [text, { [text]: 1 }, [text], new Map([[text, 1]])]) {
        expect(() => codec.encodeReply(value)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
        expect(replacing.decodeReply(bytesOf(replacing.encodeReply(value)), undefined)).toHaveProperty("value");
      }
      expect(() => codec.encodeCall(text, [])).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
      const reply = codec.decodeReply(bytesOf(codec.encodeFault({ code: 1, message: `a${text}b` })), undefined);
      expect(reply).toMatchObject({ fault: { message: expect.stringMatching(/^a.*\ufffd.*b$/u) } });
    }
  });

  it("H121 nil and the extensions are what the dialect says", () => {
    const bound = (value: string): unknown =>
      codec.decodeCall(
        bytesOf(callOf(value, 'methodCall xmlns:ex="http://ws.apache.org/xmlrpc/namespaces/extensions"')),
        undefined,
      ).params[0];
    for (const nil of ["<nil/>", "<nil></nil>", "<nil />"]) {
      expect(decodeValue(`<value>${nil}</value>`)).toBeNull();
      expect(valueFault(`<value>${nil}</value>`, strict)).toBe(InvalidRequest);
    }
    expect(decodeValue("<value><ex:nil/></value>")).toBeNull();
    expect(bound("<value><ex:nil/></value>")).toBeNull();
    expect(callFault(CALL.replace("<value>x</value>", "<nil/>"))).toBe(InvalidRequest);
    expect(valueFault("<value><nil>x</nil></value>")).toBe(InvalidRequest);
    expect(decodeValue("<value/>")).toBe("");
    expect(decodeValue("<value><i8>5</i8></value>")).toBe(5n);
    expect(bound("<value><ex:i1>-128</ex:i1></value>")).toBe(-128);
    expect(faultIn(() => bound("<value><ex:i1>128</ex:i1></value>")).code).toBe(InvalidRequest);
    expect(bound("<value><ex:i2>32767</ex:i2></value>")).toBe(32_767);
    expect(bound("<value><ex:float>1.5</ex:float></value>")).toBe(1.5);
    expect(bound("<value><ex:dateTime>2005-02-10T11:41:23.250+05:30</ex:dateTime></value>")).toMatchObject({
      offset: 330,
    });
    expect(valueFault("<value><dateTime>20050210T11:41:23</dateTime></value>")).toBe(InvalidRequest);
    expect(decodeValue(`<value><biginteger>${"9".repeat(4096)}</biginteger></value>`)).toBe(BigInt("9".repeat(4096)));
    expect(valueFault(`<value><biginteger>${"9".repeat(4097)}</biginteger></value>`)).toBe(InvalidRequest);
    expect(valueFault(`<value><bigdecimal>${"9".repeat(4097)}</bigdecimal></value>`)).toBe(InvalidRequest);
    // The prefix means something only when it is bound to the right name space.
    expect(callFault(callOf("<value><ex:i8>5</ex:i8></value>", 'methodCall xmlns:ex="http://example.org/"'))).toBe(
      InvalidRequest,
    );
    expect(valueFault("<value><xx:i8>5</xx:i8></value>")).toBe(InvalidRequest);
  });

  it("H122 an int is never a wrong number", () => {
    const int = (text: string): unknown => decodeValue(`<value><int>${text}</int></value>`);
    expect(int("2147483648")).toBe(2_147_483_648);
    expect(int(" +0012\n")).toBe(12);
    expect(Object.is(int("-0"), 0)).toBe(true);
    expect(int("9007199254740993")).toBe(9_007_199_254_740_993n);
    for (const text of [
      "99999999999999999999",
      "9223372036854775808",
      "1_000",
      "1.0",
      "",
      " ",
      "0x1",
      "1e3",
      "--1",
      "+",
      "1 2",
      "\u0661",
    ]) {
      expect(valueFault(`<value><int>${text}</int></value>`)).toBe(InvalidRequest);
    }
    expect(valueFault(`<value><int>${"9".repeat(1_000_000)}</int></value>`)).toBe(InvalidRequest);
    for (const text of ["2147483648", "-2147483649", " 1", "1 "]) {
      expect(valueFault(`<value><i4>${text}</i4></value>`, strict)).toBe(InvalidRequest);
    }
  });

  it("H123 a double or a boolean is never a wrong one", () => {
    for (const text of ["NaN", "INF", "-Infinity", "1e400", "-1e999", "1,5", "", ".", "e5", "0x1p3", "1.5f", "1 2"]) {
      expect(valueFault(`<value><double>${text}</double></value>`)).toBe(InvalidRequest);
    }
    expect(valueFault(`<value><double>1${"0".repeat(400)}</double></value>`)).toBe(InvalidRequest);
    const open = createDocumentCodec({ nonFinite: true });
    expect(decodeValue("<value><double>-INF</double></value>", open)).toBe(Number.NEGATIVE_INFINITY);
    expect(decodeValue("<value><double>NaN</double></value>", open)).toBeNaN();
    expect(valueFault("<value><double>1e400</double></value>", open)).toBe(InvalidRequest);
    for (const text of ["true", " 1 ", "", "2", "01", "yes"]) {
      expect(valueFault(`<value><boolean>${text}</boolean></value>`)).toBe(InvalidRequest);
    }
  });

  it("H124 a date is real, and base64 holds no junk", () => {
    for (const text of [
      "980717T14:08:55",
      "",
      "T14:08:55",
      "19980717T24:00:00",
      "19980717T14:60:00",
      "19980717T14:08:60",
      "19990229T00:00:00",
      "1998-0717T14:08:55",
      "19980717T14:08:55+5",
      "19980717T14:08:55+05:99",
      "19980717T14:08:55 UTC",
      "00000101T00:00:00",
      "2005-02-10T",
      "19980717T14",
      `${" ".repeat(100)}19980717T14:08:55`,
    ]) {
      expect(valueFault(`<value><dateTime.iso8601>${text}</dateTime.iso8601></value>`)).toBe(InvalidRequest);
    }
    for (const text of ["A", "AAAAA", "A===", "AA=", "AA==A", "=", "AQ*I=", "AQ-_", "AQI=\u00a0", "&#0;"]) {
      expect([InvalidRequest, NotWellFormed]).toContain(valueFault(`<value><base64>${text}</base64></value>`));
    }
  });

  it("H125 member names are plain data, and a member is whole or a fault", () => {
    const member = (name: string, value = "<value>1</value>"): string =>
      `<member><name>${name}</name>${value}</member>`;
    const struct = (...members: string[]): string => `<value><struct>${members.join("")}</struct></value>`;
    for (const name of ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "then", "", " ", "0"]) {
      const value = decodeValue(struct(member(name))) as object;
      expect(Object.getPrototypeOf(value)).toBeNull();
      expect(Object.getOwnPropertyDescriptor(value, name)?.value).toBe("1");
    }
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(decodeValue(struct(member("a"), member("a", "<value>2</value>")))).toHaveProperty("a", "2");
    expect(valueFault(struct(member("a"), member("a")), strict)).toBe(InvalidRequest);
    expect(valueFault(struct(member("__proto__"), member("__proto__")), strict)).toBe(InvalidRequest);
    for (const broken of [
      "<member/>",
      "<member><name>a</name></member>",
      "<member><value/></member>",
      "<member><value/><name>a</name></member>",
      "<member><name>a</name><value/><value/></member>",
      "<member><name>a</name><name>b</name><value/></member>",
      "<member>x<name>a</name><value/></member>",
      "<member><name>a</name>x<value/></member>",
      "<member><name><b/></name><value/></member>",
      "<value/>",
      "x",
    ]) {
      expect(valueFault(struct(broken))).toBe(InvalidRequest);
    }
  });

  it("H126 text beside an element, unknown types and unknown elements are refused", () => {
    for (const value of [
      "<value>x<int>1</int></value>",
      "<value><int>1</int>x</value>",
      "<value>&#65;<int>1</int></value>",
      "<value><![CDATA[x]]><int>1</int></value>",
      "<value><int>1</int><![CDATA[x]]></value>",
      "<value><int>1</int><nil/></value>",
      "<value><array/><array/></value>",
      "<value><int><b>1</b></int></value>",
      "<value><string>a<b/>c</string></value>",
      "<value><Int>1</Int></value>",
      "<value><value>x</value></value>",
      "<value><constructor/></value>",
      "<value><__proto__/></value>",
      "<value><toString>1</toString></value>",
      "<value><array><data/><data/></array></value>",
      "<value><array>x<data/></array></value>",
      "<value><array><value/></array></value>",
      "<value><array><data>x</data></array></value>",
      "<value><document/></value>",
      "<value/><value/>",
      "x<value/>",
      "",
    ]) {
      expect(valueFault(value)).toBe(InvalidRequest);
    }
    expect(decodeValue("<value> <!-- a --> <int>1<!-- b -->2</int> </value>")).toBe(12);
    expect(decodeValue("<value>a<!-- b -->c<?d?>e<![CDATA[<f>]]>&amp;</value>")).toBe("ace<f>&");
    expect(decodeValue("<value> </value>")).toBe(" ");
  });

  it("H127 Java objects and XML fragments are never read", () => {
    for (const tag of ["ex:serializable", "ex:dom", "serializable", "dom"]) {
      const document = callOf(
        `<value><${tag}>rO0ABQ==</${tag}></value>`,
        'methodCall xmlns:ex="http://ws.apache.org/xmlrpc/namespaces/extensions"',
      );
      expect(callFault(document)).toBe(InvalidRequest);
    }
  });

  it("H128 a response is no request, and no request a response", () => {
    const response = codec.encodeReply(1);
    expect(callFault(response)).toBe(InvalidRequest);
    const replyFault = (document: string, reader = codec): number =>
      faultIn(() => reader.decodeReply(bytesOf(document), undefined)).code;
    expect(replyFault(CALL)).toBe(InvalidRequest);
    for (const document of [
      "<methodCall/>",
      "<methodCall />",
      "<methodCall><params/></methodCall>",
      "<methodCall><methodName/></methodCall>",
      "<methodCall><methodName>t</methodName><methodName>u</methodName></methodCall>",
      "<methodCall><methodName>t</methodName><params/><params/></methodCall>",
      "<methodCall><params/><methodName>t</methodName></methodCall>",
      "<methodCall>x<methodName>t</methodName></methodCall>",
      "<methodCall><methodName>t</methodName><fault/></methodCall>",
    ]) {
      expect(callFault(document)).toBe(InvalidRequest);
    }
    for (const content of [
      "",
      "x",
      "<fault/>",
      "<fault><value/></fault>",
      "<fault><value><int>1</int></value></fault>",
      "<fault><value/><value/></fault>",
      "<params><param><value/></param></params><params/>",
      "<params><param><value/></param><param><value/></param></params>",
      "<params><param/></params>",
      "<params/><fault/>",
      "<fault><value><struct/></value></fault><params/>",
    ]) {
      expect(replyFault(`<methodResponse>${content}</methodResponse>`)).toBe(InvalidRequest);
    }
    expect(codec.decodeReply(bytesOf("<methodResponse><params/></methodResponse>"), undefined)).toEqual({
      value: null,
    });
    expect(replyFault("<methodResponse><params/></methodResponse>", strict)).toBe(InvalidRequest);
  });

  it("H129 a fault's code that is none is kept as it came", () => {
    const fault = (code: string, more = ""): unknown =>
      codec.decodeReply(
        bytesOf(
          `<methodResponse><fault><value><struct><member><name>faultCode</name><value>${code}</value></member><member><name>faultString</name><value>&lt;html&gt;</value></member>${more}</struct></value></fault></methodResponse>`,
        ),
        undefined,
      );
    const kept = (legacyCode: string): unknown => ({ fault: { code: -32_500, message: "<html>", legacyCode } });
    expect(fault("<int>7</int>")).toEqual({ fault: { code: 7, message: "<html>" } });
    expect(fault("<i8>7</i8>")).toEqual({ fault: { code: 7, message: "<html>" } });
    expect(fault("AccessDenied")).toEqual(kept("AccessDenied"));
    expect(fault("<double>1.5</double>")).toEqual(kept("1.5"));
    expect(fault("<int>2147483648</int>")).toEqual(kept("2147483648"));
    expect(fault("<i8>9223372036854775807</i8>")).toEqual(kept("9223372036854775807"));
    expect(fault("<nil/>")).toEqual(kept("nil"));
    expect(fault("<array/>")).toEqual(kept("a value that is no text"));
    expect(fault("<int>7</int>", "<member><name>x</name><value/></member>")).toEqual({
      fault: { code: 7, message: "<html>" },
    });
  });
});
