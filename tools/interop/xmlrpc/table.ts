// Writes the table of foreign programs into docs/wire/xmlrpc.md: `node tools/interop/xmlrpc/table.ts`. It is made of what `losses.ts` says, and the tests
// of this package prove that each program does just that.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withGenerated } from "@rpc/testkit";
import { callCases, type Case, httpCases, serverCases, valueCases } from "./cases.ts";
import { clientLosses, type Losses, serverLosses } from "./losses.ts";
import { clientNames, serverNames } from "./programs.ts";

const PAGE = join(import.meta.dirname, "..", "..", "..", "docs", "wire", "xmlrpc.md");
/** The page as it stands and as it should stand. */
export function interopPage(): { readonly path: string; readonly now: string; readonly wanted: string } {
  const now = readFileSync(PAGE, "utf8");
  const tables = {
    clients: table(clientNames, [...valueCases, ...callCases], clientLosses),
    documents: table(
      clientNames.filter(({ id }) => id === "curl"),
      httpCases,
      clientLosses,
    ),
    servers: table(
      serverNames.filter(({ id }) => id !== "apache"),
      [...valueCases, ...serverCases],
      serverLosses,
    ),
  };
  let wanted = now;
  for (const [mark, text] of Object.entries(tables)) wanted = withGenerated(wanted, mark, text);
  return { path: PAGE, now, wanted };
}

function table(programs: typeof clientNames, cases: readonly Case[], losses: Losses): string {
  const notes: string[] = [];
  const rows = cases.map((row) => {
    // The same loss of several programs is one note.
    const ownNotes = new Map<string, number>();
    const cells = programs.map(({ id }) => {
      const says = losses[id]?.[row.id]?.says;
      if (says === undefined) return "ok";
      const note = ownNotes.get(says) ?? notes.push(says);
      ownNotes.set(says, note);
      return `loss ${note}`;
    });
    return `| ${row.title} | ${cells.join(" | ")} |`;
  });
  const head = `| | ${programs.map(({ name }) => name).join(" | ")} |`;
  const line = `|---|${programs.map(() => "---|").join("")}`;
  const numbered = notes.map((says, index) => `${index + 1}. ${says}\n`).join("");
  return `\n${[head, line, ...rows].join("\n")}\n\n${numbered === "" ? "" : `${numbered}\n`}`;
}

if (import.meta.main) {
  const { path, now, wanted } = interopPage();
  if (now !== wanted) writeFileSync(path, wanted);
}
