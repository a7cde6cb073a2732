// Python's JSON knows three numbers that JSON does not: NaN, Infinity and -Infinity. They are read and never written.

/** The two infinities have a spelling in JSON that overflows to them; NaN has none, so it travels as a number that nobody writes. */
const NAN_SPELLING = "-1.797693134862315799e9999";
// A string matches even when it has no end, so that no text makes this look twice at the same place.
const TOKENS = /"(?:[^"\\]+|\\[\s\S]?)*"?|-?Infinity|NaN/g;

interface WithSource {
  readonly source?: string;
}

/**
 * Reads JSON as Python writes it: `NaN`, `Infinity` and `-Infinity` outside of strings are numbers. Throws SyntaxError for anything else
 * that is no JSON.
 */
export function parseDomogikJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!text.includes("NaN") && !text.includes("Infinity")) throw error;
  }
  const json = text.replaceAll(TOKENS, (token) => {
    if (token === "NaN") return NAN_SPELLING;
    if (token === "Infinity") return "1e9999";
    return token === "-Infinity" ? "-1e9999" : token;
  });
  return JSON.parse(json, (_name, value: unknown, context?: WithSource) =>
    value === Number.NEGATIVE_INFINITY && context?.source === NAN_SPELLING ? Number.NaN : value,
  );
}

/** Writes JSON that Python reads: numbers without a spelling become null. */
export function writeDomogikJson(value: unknown): string {
  return JSON.stringify(value) ?? "null";
}
