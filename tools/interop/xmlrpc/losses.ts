/** What a program does not do. */
interface Loss {
  /** A part of what is seen of this case. */
  readonly seen: string;
  /** For the table: why. */
  readonly says: string;
}

/** Program → case → loss. Everything that does not stand here is proved to work by the tests. */
export type Losses = Readonly<Record<string, Readonly<Record<string, Loss>>>>;

/** An outcome, or the part of it that the loss is known by. */
export function asExpected(outcome: string | undefined, loss: Loss | undefined): string | undefined {
  return loss !== undefined && outcome?.includes(loss.seen) === true ? loss.seen : outcome;
}

const rawCarriageReturn = (way: string): Loss => ({
  seen: `${way}: got " one\\ntwo\\nthree\\n\\tfour "`,
  says: "it writes CR as it is, and XML reads that as LF; LF, tab and blanks stay",
});
const noAstral = (way: string): Loss => ({
  seen: `${way}: `,
  says: "it refuses characters beyond 16 bit, both when it writes and when it reads",
});
const unescapedNames = (says: string): Loss => ({ seen: "element <key> in <name>", says });
const asksForNoGzip: Loss = { seen: "not compressed", says: "it asks for no compression" };

export const clientLosses: Losses = {
  python: {
    i8: { seen: "sent: OverflowError", says: "it refuses to write more than 32 bit; it reads any size" },
    lines: rawCarriageReturn("sent"),
  },
  ruby: { lines: rawCarriageReturn("sent") },
  php: {
    i8: { seen: "sent: got 1; received: got NULL", says: "it writes the lower 32 bit, and reads i8 as null" },
    lines: rawCarriageReturn("sent"),
    double: { seen: "sent: got 0", says: "it writes six digits after the point" },
    names: { seen: "0 => 'no name'", says: "it reads an empty name as the key 0" },
    empty: { seen: 'sent: got ["", [], []]', says: "it writes an empty PHP array as an array" },
    nil: { seen: 'sent: got ["", {"nothing": ""}]', says: "it writes null as an empty string; it reads nil" },
    "keep-alive": { seen: "a connection for each call", says: "PHP's streams open one for each call" },
  },
  go: {
    base64: {
      seen: "received: the text of the base64",
      says: "it hands over the text of the base64; so it takes it to write",
    },
    names: unescapedNames("it writes names unescaped, and cannot read an empty one"),
    empty: {
      seen: "received: got []interface",
      says: "it reads an empty string or struct as nil where the type is not given",
    },
    nil: { seen: 'sent: got ["", {"nothing": ""}]', says: "it writes nil as an empty string" },
  },
  c: {
    astral: noAstral("sent"),
    lines: { seen: "received: got <value><string> one", says: "it reads CR and CR LF as LF, also from references" },
    double: {
      seen: "received: got <value><double>-0.0000001500000000000001",
      says: "its reader is off in the last place",
    },
    gzip: asksForNoGzip,
  },
  java: {
    lines: rawCarriageReturn("sent"),
    names: unescapedNames("it writes names unescaped"),
    gzip: asksForNoGzip,
  },
};

export const serverLosses: Losses = {
  python: {
    i8: {
      seen: "received: UNKNOWN: <class 'OverflowError'>",
      says: "it refuses to write more than 32 bit; it reads any size",
    },
    lines: rawCarriageReturn("received"),
  },
  ruby: { lines: rawCarriageReturn("received") },
  perl: {
    large: {
      seen: "does not say clearly how long it is",
      says: "it sends replies over 1 MiB with both Content-Length and chunks, which HTTP forbids; it reads them",
    },
    "multicall-fault": {
      seen: "unexpected element <fault> in <value>",
      says: "it ends a multicall at the first fault, with a document that is none",
    },
  },
  c: {
    astral: noAstral("sent"),
    lines: { seen: "sent: got <value><string> one", says: "it reads CR and CR LF as LF, also from references" },
    double: { seen: "sent: got <value><double>-0.0000001500000000000001", says: "its reader is off in the last place" },
  },
};
