import { Double, XmlRpcDateTime } from "@rpc/xmlrpc";

/** The values of the matrix, as this package says them. */
export const VALUES: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["int", -2_147_483_648],
  ["i8", 9_007_199_254_740_993n],
  ["boolean", true],
  ["string", "a < b && c > d ]]> \"e\" 'f'"],
  ["unicode", "Grüße, 世界"],
  ["astral", "🎉"],
  ["lines", " one\r\ntwo\rthree\n\tfour "],
  ["double", -1.5e-7],
  ["integral", new Double(3)],
  ["date", new XmlRpcDateTime({ year: 1998, month: 7, day: 17, hour: 14, minute: 8, second: 55 })],
  ["base64", Uint8Array.from({ length: 256 }, (_, index) => index)],
  ["struct", { lowerBound: 18, upper: { text: "x" } }],
  ["names", { "naïve <key> & co": "x", "": "no name" }],
  ["array", [1, "two", [3.5, [true, []]], { four: [4] }]],
  ["empty", ["", [], {}]],
  ["nil", [null, { nothing: null }]],
  ["large", "0123456789abcdef".repeat(655_360)],
]);

/** A value with its types, in one line: what is compared is this. */
export function told(value: unknown): string {
  if (value instanceof Double) return String(value.value);
  if (value instanceof Date) return XmlRpcDateTime.from(value).toString().replace(/Z$/, "");
  if (value instanceof XmlRpcDateTime) return value.toString().replace(/Z$/, "");
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString("hex")}`;
  if (Array.isArray(value)) return `[${value.map(told).join(", ")}]`;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "undefined";
  const members = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}: ${told(member)}`).join(", ")}}`;
}

/** Empty: `got` is the value of this name. */
export function difference(name: string, got: unknown): string {
  const text = told(got);
  return text === told(VALUES.get(name)) ? "" : `got ${text}`.slice(0, 200);
}
