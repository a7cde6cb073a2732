import type { BuildSummary } from "../../../src/contracts/values.ts";

/** A build as a bar of its builder's column, in pixels from the newest instant down. */
export interface Bar {
  readonly build: BuildSummary;
  readonly top: number;
  readonly height: number;
  /** Which of the bars beside each other, from 0. */
  readonly lane: number;
}

export interface Column {
  /** In the order in which they began. */
  readonly bars: readonly Bar[];
  /** So many places beside each other: more than one where its builder built several at once. */
  readonly lanes: number;
}

export interface Waterfall {
  readonly height: number;
  readonly columns: ReadonlyMap<string, Column>;
  /** Instants to be written beside it, far enough from each other to be read. */
  readonly marks: readonly { readonly at: number; readonly top: number }[];
}

/** Of a bar: its number has to fit in. */
const LEAST_PX = 24;
const MARK_PX = 40;

/** Time runs up. An hour is longer than a minute, but not sixty times: what is short stays readable, and a quiet night does not fill the screen. */
export function waterfall(builds: readonly BuildSummary[], now: number): Waterfall {
  const spans = builds.map((build) => ({ build, from: build.startedAt, to: endOf(build, now) }));
  const instants = [...new Set(spans.flatMap(({ from, to }) => [from, to]))].sort((a, b) => b - a);
  const tops = new Map<number, number>();
  const marks: { at: number; top: number }[] = [];
  let top = 0;
  for (const [index, at] of instants.entries()) {
    tops.set(at, top);
    if (marks.length === 0 || top - (marks.at(-1)?.top ?? 0) >= MARK_PX) marks.push({ at, top });
    const next = instants[index + 1];
    if (next === undefined) break;
    const during = spans.filter(({ from, to }) => from <= next && to >= at);
    const seconds = (at - next) / 1000;
    top += during.length > 0 ? Math.max(8, 8 * Math.log2(1 + seconds / 2)) : 6 + 3 * Math.log2(1 + seconds / 60);
    // Whatever else began or ended meanwhile: otherwise a bar would reach into the one below it.
    for (const { from, to } of during) if (from === next) top = Math.max(top, (tops.get(to) ?? 0) + LEAST_PX);
  }
  const columns = new Map<string, Column>();
  for (const [builder, members] of Map.groupBy(spans, ({ build }) => build.builder)) {
    const ends: number[] = [];
    const placed = members
      .toSorted((a, b) => a.from - b.from)
      .map(({ build, from, to }) => {
        const free = ends.findIndex((end) => end <= from);
        const lane = free < 0 ? ends.length : free;
        ends[lane] = to;
        const begin = tops.get(to) ?? 0;
        return { build, lane, top: begin, height: Math.max(LEAST_PX, (tops.get(from) ?? 0) - begin) };
      });
    columns.set(builder, { bars: placed, lanes: ends.length });
  }
  return { height: Math.max(top, LEAST_PX), columns, marks };
}

/** Never before its beginning, whatever the bot's clock said, and never without any length. */
function endOf({ startedAt, finishedAt }: BuildSummary, now: number): number {
  return Math.max(startedAt + 1, finishedAt ?? now);
}
