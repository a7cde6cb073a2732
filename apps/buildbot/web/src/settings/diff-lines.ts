export interface DiffLine {
  readonly kind: "same" | "added" | "removed" | "place";
  readonly text: string;
  /** From 1, where the line is in that text. */
  readonly before?: number;
  readonly after?: number;
}

/** A unified diff, line by line with the numbers of both texts. Its file names are left out. */
export function diffLines(diff: string): readonly DiffLine[] {
  const lines: DiffLine[] = [];
  let before = 0;
  let after = 0;
  for (const line of diff.split("\n")) {
    const place = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(line);
    if (place) {
      before = Number(place[1]);
      after = Number(place[2]);
      lines.push({ kind: "place", text: line });
    } else if (lines.length === 0 || line === "" || line.startsWith("\\")) {
      continue;
    } else if (line.startsWith("+")) lines.push({ kind: "added", text: line.slice(1), after: after++ });
    else if (line.startsWith("-")) lines.push({ kind: "removed", text: line.slice(1), before: before++ });
    else lines.push({ kind: "same", text: line.slice(1), before: before++, after: after++ });
  }
  return lines;
}
