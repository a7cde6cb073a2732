// Reads what a TypeScript file imports, with a real parser: imports, re-exports, `import()` and types named by `import("...")`.
import { parseSync, Visitor } from "oxc-parser";

export interface ImportOf {
  readonly name: string;
  readonly line: number;
  /** Whether types alone are imported, of which nothing is left at run time. */
  readonly typesOnly: boolean;
}

export function importsOf(file: string, text: string): ImportOf[] {
  const { program, errors } = parseSync(file, text);
  const [problem] = errors;
  if (problem !== undefined) throw new Error(`${file} cannot be parsed: ${problem.message}`);
  const found: ImportOf[] = [];
  const note = (
    node: { readonly type: string; readonly value?: unknown; readonly start: number } | null,
    typesOnly = false,
  ): void => {
    if (node === null) return;
    // A computed name hides from every check, so it counts as an import of nothing that is allowed.
    const name = typeof node.value === "string" ? node.value : "<computed>";
    found.push({ name, line: text.slice(0, node.start).split("\n").length, typesOnly });
  };
  new Visitor({
    ImportDeclaration: (node) => note(node.source, node.importKind === "type"),
    ExportNamedDeclaration: (node) => note(node.source, node.exportKind === "type"),
    ExportAllDeclaration: (node) => note(node.source, node.exportKind === "type"),
    ImportExpression: (node) => note(node.source),
    TSImportType: (node) => note(node.source, true),
  }).visit(program);
  return found;
}
