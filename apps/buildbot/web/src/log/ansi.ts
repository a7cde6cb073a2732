import Anser from "anser";

/** A piece of a line in one style. `classes` name rules of the log's style sheet; colours beyond the sixteen come as values. */
export interface Span {
  readonly text: string;
  readonly classes: readonly string[];
  readonly color?: string;
  readonly background?: string;
}

/** Beyond this a line is cut on screen: one of a megabyte would stop the page. The raw log has all of it. */
export const MAX_SHOWN = 4000;

/* oxlint-disable-next-line no-control-regex -- control characters are what is looked for */
const OTHER_SEQUENCES = /\u001B\][^\u0007\u001B]*(?:\u0007|\u001B\\)|\u001B\[[0-9;?]*[A-Za-ln-z]|\u001B[()][A-Z0-9]/g;

/** The colours and weights of one line of output, as text: nothing in it is ever read as HTML. */
export function spansOf(line: string): readonly Span[] {
  const shown = afterLastReturn(line.length > 4 * MAX_SHOWN ? line.slice(0, 4 * MAX_SHOWN) : line);
  if (!shown.includes("\u001B")) return shown === "" ? [] : [{ text: shown.slice(0, MAX_SHOWN), classes: [] }];
  let room = MAX_SHOWN;
  const spans: Span[] = [];
  const options = { json: true, use_classes: true, remove_empty: true } as const;
  for (const entry of Anser.ansiToJson(shown.replaceAll(OTHER_SEQUENCES, ""), options)) {
    if (room <= 0) break;
    const text = entry.content.slice(0, room);
    room -= text.length;
    spans.push({ text, ...styleOf(entry) });
  }
  return spans;
}

/** What a progress bar wrote over is gone on a terminal, too. */
function afterLastReturn(line: string): string {
  const end = line.endsWith("\r") ? line.slice(0, -1) : line;
  return end.slice(end.lastIndexOf("\r") + 1);
}

function styleOf(entry: Anser.AnserJsonEntry): Omit<Span, "text"> {
  const classes = entry.decorations.map(String);
  const color = colourOf(entry.fg, entry.fg_truecolor, classes, "");
  const background = colourOf(entry.bg, entry.bg_truecolor, classes, "bg-");
  return { classes, ...(color && { color }), ...(background && { background }) };
}

function colourOf(
  name: string | null,
  trueColour: string | null,
  classes: string[],
  prefix: string,
): string | undefined {
  if (!name) return undefined;
  if (name === "ansi-truecolor") return `rgb(${trueColour ?? "128, 128, 128"})`;
  const palette = /^ansi-palette-(\d+)$/.exec(name);
  if (palette) return paletteColour(Number(palette[1]));
  classes.push(prefix + name);
  return undefined;
}

/** Of xterm's 256: a cube of 6 × 6 × 6, then 24 greys. */
function paletteColour(index: number): string {
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return `rgb(${grey}, ${grey}, ${grey})`;
  }
  const level = (value: number): number => (value === 0 ? 0 : 55 + value * 40);
  const cube = index - 16;
  return `rgb(${level(Math.floor(cube / 36))}, ${level(Math.floor(cube / 6) % 6)}, ${level(cube % 6)})`;
}
