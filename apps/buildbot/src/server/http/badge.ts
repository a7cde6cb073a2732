import type { BuildSummary, Results } from "../../contracts/values.ts";

const COLOURS: Readonly<Record<Results | "unknown", string>> = {
  success: "#2f9e44",
  warnings: "#e8890c",
  failure: "#e03131",
  skipped: "#868e96",
  exception: "#9c36b5",
  retry: "#1c7ed6",
  cancelled: "#868e96",
  unknown: "#868e96",
};
/** Of Verdana at 11 px, about. */
const CHAR_PX = 6.7;
const PADDING_PX = 12;

/** What a README shows of a builder: its name, and how its last build ended. */
export function badge(name: string, build: BuildSummary | undefined): string {
  const results = build?.results ?? "unknown";
  const left = name.length > 60 ? `${name.slice(0, 59)}…` : name;
  const [leftPx, rightPx] = [left, results].map((text) => Math.round(text.length * CHAR_PX + PADDING_PX)) as [
    number,
    number,
  ];
  const width = leftPx + rightPx;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="20" role="img" aria-label="${escaped(left)}: ${results}">
<title>${escaped(left)}: ${results}</title>
<clipPath id="r"><rect width="${width}" height="20" rx="3"/></clipPath>
<g clip-path="url(#r)"><rect width="${leftPx}" height="20" fill="#495057"/><rect x="${leftPx}" width="${rightPx}" height="20" fill="${COLOURS[results]}"/></g>
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
<text x="${leftPx / 2}" y="14">${escaped(left)}</text><text x="${leftPx + rightPx / 2}" y="14">${results}</text></g>
</svg>
`;
}

function escaped(text: string): string {
  // What XML has no place for would break the whole picture.
  // oxlint-disable-next-line no-control-regex -- they are what is meant.
  const legal = text.toWellFormed().replaceAll(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, "?");
  return legal.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
