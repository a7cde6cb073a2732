import { type Capabilities, type Capability, gapOf } from "@rpc/core/transport";
import { capabilityNames } from "./cases/capabilities.ts";
import { requirements } from "./requirements.ts";

/** A transport, as the documentation names it. */
export interface MatrixColumn {
  readonly name: string;
  readonly capabilities: Capabilities;
}

/** What each transport declares, as a Markdown table, and every gap with its sentence below it. */
export function capabilityMatrix(columns: readonly MatrixColumn[]): string {
  const head = `| capability | ${columns.map((column) => column.name).join(" | ")} |`;
  const line = `|---|${columns.map(() => "---|").join("")}`;
  const rows = capabilityNames.map((name) => {
    const cells = columns.map(({ capabilities }) => {
      const support = capabilities[name];
      return typeof support === "string" ? support : "–";
    });
    return `| \`${name}\` | ${cells.join(" | ")} |`;
  });
  const gaps = capabilityNames.flatMap((name) => gapLines(name, columns));
  return [head, line, ...rows, ...(gaps.length === 0 ? [] : ["", ...gaps]), ""].join("\n");
}

/** One line per sentence: transports with the same gap for the same reason stand together. */
function gapLines(name: Capability, columns: readonly MatrixColumn[]): string[] {
  const bySentence = new Map<string, string[]>();
  for (const { name: transport, capabilities } of columns) {
    const gap = gapOf(capabilities[name]);
    if (gap !== undefined) bySentence.set(gap, [...(bySentence.get(gap) ?? []), transport]);
  }
  return [...bySentence].map(([sentence, names]) => {
    const whose = names.length === columns.length ? "" : ` (${names.join(", ")})`;
    return `* \`${name}\`${whose}: ${sentence}.`;
  });
}

/** Every requirement of the suites as a Markdown table: what a new transport will be asked. */
export function requirementTable(): string {
  const rows = requirements.map(({ id, name, sentence, needs, later }) => {
    const rests = needs.map(({ capability, degree }) => `\`${capability}\`${degree === undefined ? "" : ` ${degree}`}`);
    return `| ${id} | \`${name}\` | ${sentence} | ${rests.join(", ")} | ${later ?? ""} |`;
  });
  return ["| id | case | requirement | needs | later |", "|---|---|---|---|---|", ...rows, ""].join("\n");
}

/** Puts generated text between two marks of a page; a page without the marks stays as it is. */
export function withGenerated(page: string, mark: string, text: string): string {
  const begin = `<!-- ${mark}:begin -->\n`;
  const start = page.indexOf(begin);
  const end = page.indexOf(`<!-- ${mark}:end -->`);
  if (start < 0 || end < start) return page;
  return `${page.slice(0, start + begin.length)}${text}${page.slice(end)}`;
}
