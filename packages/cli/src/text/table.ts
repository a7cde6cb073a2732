import Table from "cli-table3";
import type { Style, Styled } from "../output.ts";

/** A column: what people see in a terminal, and what programs get in a pipe. */
export interface Column<Row> {
  readonly title: string;
  readonly align?: "right";
  /** It may be cut down to so many characters where the terminal is too narrow. Left out: never cut. */
  readonly least?: number;
  /** Where it is cut: the end of an address says more than its middle. Default: at the end. */
  readonly cut?: "middle";
  /** A tuple: with a style. Must be plain text. */
  show(row: Row): string | readonly [text: string, style: Style | undefined];
  /** Default: what is shown, without style. */
  value?(row: Row): string;
}

const GAP = 2;
/** The table's own lines: none. Columns stand apart by their padding. */
const NO_LINES = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "",
};

/** Lines of a table under its titles, no wider than `width` where columns can give way. */
export function tableText<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number,
  styled: Styled,
): string {
  const cells = rows.map((row) => columns.map((column) => shownCell(column, row)));
  const widths = columnWidths(
    columns,
    cells.map((line) => line.map(([text]) => text)),
    width,
  );
  const table = new Table({
    chars: NO_LINES,
    // Without colours of its own: they would be there in a file as well.
    style: { head: [], border: [], "padding-left": 0, "padding-right": GAP },
    head: columns.map(({ title }) => styled(title, "dim")),
    colAligns: columns.map(({ align }) => align ?? "left"),
    colWidths: widths.map((each) => each + GAP),
  });
  for (const line of cells) {
    table.push(
      line.map(([text, style], index) => {
        const shown = columns[index]?.cut === "middle" ? cutInTheMiddle(text, widths[index] ?? 0) : text;
        return style === undefined ? shown : styled(shown, style);
      }),
    );
  }
  return table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

/** A line for each row, its values with tabs between. */
export function tabbedText<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const valueOf = (column: Column<Row>, row: Row): string => column.value?.(row) ?? shownCell(column, row)[0];
  return rows.map((row) => columns.map((column) => valueOf(column, row)).join("\t")).join("\n");
}

function shownCell<Row>(column: Column<Row>, row: Row): readonly [string, Style | undefined] {
  const cell = column.show(row);
  return typeof cell === "string" ? [cell, undefined] : cell;
}

/** What each needs; where that is too much, those that may give way do so, the widest first. */
function columnWidths<Row>(
  columns: readonly Column<Row>[],
  texts: readonly (readonly string[])[],
  width: number,
): number[] {
  const widths = columns.map(({ title }, index) =>
    texts.reduce((most, line) => Math.max(most, widthOf(line[index] ?? "")), title.length),
  );
  let excess = widths.reduce((sum, each) => sum + each + GAP, -GAP) - width;
  while (excess > 0) {
    const index = widestOf(columns, widths);
    if (index === undefined) break;
    widths[index] = (widths[index] ?? 0) - 1;
    excess -= 1;
  }
  return widths;
}

function widestOf<Row>(columns: readonly Column<Row>[], widths: readonly number[]): number | undefined {
  let widest: number | undefined;
  for (const [index, { least }] of columns.entries()) {
    const width = widths[index] ?? 0;
    if (least !== undefined && width > least && width > (widest === undefined ? 0 : (widths[widest] ?? 0)))
      widest = index;
  }
  return widest;
}

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** Nearly: what it takes too much is room, what it takes too little is cut by the table. */
function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += WIDE.test(character) ? 2 : 1;
  return width;
}

function cutInTheMiddle(text: string, width: number): string {
  const characters = Array.from(text);
  if (widthOf(text) <= width) return text;
  const head = Math.ceil((width - 1) / 2);
  return `${characters.slice(0, head).join("")}…${characters.slice(characters.length - (width - 1 - head)).join("")}`;
}
