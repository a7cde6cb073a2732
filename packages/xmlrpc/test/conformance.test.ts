import { CANCEL_REASON, KIND_OF_CALL, transportSuite } from "@rpc/testkit";
import { describe, it } from "vitest";
import { pairOf } from "./conformance-pair.ts";

const CLOSING = "closing the request is all that HTTP can say";
const NO_KIND = "a request names a method and does not say of what kind its caller takes it for";

const HTTP_LOSSES = {
  [CANCEL_REASON]: CLOSING,
  [KIND_OF_CALL]: NO_KIND,
  "a map": "is written as a record, and comes back as one",
};

const XML_LOSSES = {
  ...HTTP_LOSSES,
  "largest whole number":
    "a whole number beyond 32 bit travels as i8 and comes back as bigint, unless the contract says number",
  "smallest whole number": "as the largest one",
  NaN: "XML-RPC has no such double; the option nonFinite writes it against the specification",
  infinity: "as NaN",
  "minus infinity": "as NaN",
  "text with NUL, line ends and quotes": "XML forbids most control characters; pass bytes",
  "text beyond the BMP": "it holds U+FFFE, which XML forbids",
  date: "a dateTime has whole seconds",
  "date before 1970": "a dateTime has whole seconds",
  "far date": "a year has four digits",
  "record with odd keys": "it holds U+0000, which XML forbids",
  "list of everything": "it holds a date with milliseconds",
};

const NO_NUMBER = "JSON has no word for it";
const AS_TEXT = "travels as text, which the contract reads back where it has one";

const JSON_LOSSES = {
  ...HTTP_LOSSES,
  "negative zero": NO_NUMBER,
  NaN: NO_NUMBER,
  infinity: NO_NUMBER,
  "minus infinity": NO_NUMBER,
  "bigint 0": "travels as a number",
  "bigint beyond 2^53": AS_TEXT,
  "bigint of -2^63": AS_TEXT,
  "bigint of 2^64": AS_TEXT,
  "empty bytes": AS_TEXT,
  bytes: AS_TEXT,
  "date zero": AS_TEXT,
  date: AS_TEXT,
  "date before 1970": AS_TEXT,
  "far date": AS_TEXT,
  "list of everything": "it holds bytes and dates",
};

/** Basic credentials are no shared secret that is proved. */
const SHOWN_CREDENTIALS = {
  H29: "credentials are shown with each request; a server that asks for none does not look at them",
  H30: "a password is whatever the authenticate hook takes; there is no secret that could be missing",
};

transportSuite({
  describe,
  it,
  leaveOut: SHOWN_CREDENTIALS,
  name: "xml-rpc",
  factory: pairOf({}, { compression: false }),
  losses: XML_LOSSES,
});
transportSuite({
  describe,
  it,
  leaveOut: SHOWN_CREDENTIALS,
  name: "json-rpc",
  factory: pairOf({ protocol: "json-rpc" }, { compression: false }),
  losses: JSON_LOSSES,
});

transportSuite({
  describe,
  it,
  leaveOut: SHOWN_CREDENTIALS,
  name: "xml-rpc with gzip both ways",
  factory: pairOf({ gzip: true, gzipRequestsFromBytes: 500 }, { compression: true }),
  losses: XML_LOSSES,
});
