import { type Document, isMap, isScalar, isSeq, type LineCounter, type Node } from "yaml";

export interface Problem {
  /** From 1. */
  readonly line?: number;
  readonly message: string;
}

export type Path = readonly PropertyKey[];

/** `builders › core › steps › 2 › name`: as a person counts, from 1. */
export function pathText(path: Path): string {
  return path.map((part) => (typeof part === "number" ? String(part + 1) : String(part))).join(" › ");
}

/** Where a path is written, or as much of it as there is. */
export function lineOf(document: Document, lines: LineCounter, path: Path): number | undefined {
  let node: unknown = document.contents;
  let offset = startOf(node);
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
      if (pair === undefined) break;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      const item = node.items[Number(part)];
      if (item === undefined) break;
      offset = startOf(item) ?? offset;
      node = item;
    } else {
      break;
    }
  }
  return offset === undefined ? undefined : lines.linePos(offset).line;
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}
