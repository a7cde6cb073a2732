import { type Document, LineCounter, parseDocument } from "yaml";
import { Configuration } from "../../contracts/values.ts";
import { meaningProblems } from "./meaning.ts";
import { lineOf, type Path, pathText, type Problem } from "./problems.ts";
import { unknownKeys } from "./unknown-keys.ts";

export interface Parsed {
  /** Undefined when there are problems. */
  readonly configuration?: Configuration;
  readonly problems: readonly Problem[];
}

/** All that is wrong with a text, in the order of its lines. An empty text is a house without builders. */
export function parseConfiguration(text: string): Parsed {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    return { problems: faults.map(({ pos, message }) => ({ line: lines.linePos(pos[0]).line, message })) };
  }
  const value = valueOf(document);
  if (value instanceof Error) return { problems: [{ message: value.message }] };
  const problems: Problem[] = [];
  const report = (path: Path, message: string): void => {
    const line = lineOf(document, lines, path);
    const where = pathText(path);
    problems.push({
      ...(line === undefined ? {} : { line }),
      message: where === "" ? message : `${where}: ${message}`,
    });
  };
  for (const { path, why } of unknownKeys(Configuration, value)) report(path, why);
  const checked = Configuration.safeParse(value);
  for (const { path, message } of checked.error?.issues ?? []) report(path, message);
  if (checked.success) meaningProblems(checked.data, report);
  if (problems.length > 0 || !checked.success) {
    return { problems: problems.toSorted((one, other) => (one.line ?? 0) - (other.line ?? 0)) };
  }
  return { configuration: checked.data, problems };
}

/** Either part may be left out. */
function valueOf(document: Document): unknown {
  try {
    // Aliases of aliases are counted: a few lines could ask for more memory than there is.
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    if (value === null || value === undefined) return { repositories: {}, builders: {} };
    if (typeof value !== "object" || Array.isArray(value)) return value;
    const parts = value as Record<string, unknown>;
    return { ...parts, repositories: parts["repositories"] ?? {}, builders: parts["builders"] ?? {} };
  } catch (thrown) {
    return thrown instanceof Error ? thrown : new Error(String(thrown));
  }
}
