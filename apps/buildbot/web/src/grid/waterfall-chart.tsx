import { useMemo } from "react";
import { Link } from "wouter";
import type { BuildSummary } from "../../../src/contracts/values.ts";
import { COLOURS, standingOf } from "../data/results.ts";
import { durationWords } from "../data/time-words.ts";
import { useNow } from "../data/use-now.ts";
import { type Bar, waterfall } from "../data/waterfall.ts";
import { builderPath, buildPath } from "../parts/link.tsx";
import styles from "./waterfall.module.css";

/** Of a bar that has room for a second line. */
const TWO_LINES_PX = 40;

/** Builders across, time down, the newest above: when each built, for how long, and what came of it. */
export function WaterfallChart({ builds, names }: { builds: readonly BuildSummary[]; names: readonly string[] }) {
  const now = useNow(5_000);
  const isRunning = builds.some(({ state }) => state === "running");
  const until = isRunning ? now : 0;
  const { height, columns, marks } = useMemo(() => waterfall(builds, until), [builds, until]);
  return (
    <div className={styles.scroll} tabIndex={0} role="region" aria-label="builds by time and builder">
      <div className={styles.chart}>
        <div className={styles.times}>
          <div className={styles.head} />
          <div className={styles.body} style={{ height }}>
            {marks.map(({ at, top }, index) => (
              <span key={at} className={styles.mark} style={{ top }}>
                {clock(at, index === 0 ? undefined : marks[index - 1]?.at)}
              </span>
            ))}
          </div>
        </div>
        {names.map((name) => (
          <div key={name} className={styles.column} role="group" aria-label={name}>
            <div className={styles.head}>
              <Link href={builderPath(name)} className={styles.name} title={name}>
                {name}
              </Link>
            </div>
            <div className={styles.body} style={{ height }}>
              {columns.get(name)?.bars.map((bar) => (
                <BarLink key={bar.build.id} bar={bar} lanes={columns.get(name)?.lanes ?? 1} />
              ))}
            </div>
          </div>
        ))}
      </div>
    </div>
  );
}

const DAY = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

/** The time, and the day where it is another one than above. */
function clock(at: number, above: number | undefined): string {
  const day = DAY.format(at);
  return above !== undefined && DAY.format(above) === day ? CLOCK.format(at) : `${day}\n${CLOCK.format(at)}`;
}

function BarLink({ bar: { build, top, height, lane }, lanes }: { bar: Bar; lanes: number }) {
  const standing = standingOf(build);
  const took = build.finishedAt === undefined ? undefined : durationWords(build.finishedAt - build.startedAt);
  const words = `${build.builder} #${build.number}: ${standing}${took === undefined ? "" : `, ${took}`}`;
  return (
    <Link
      href={buildPath(build.id)}
      className={styles.bar}
      aria-label={words}
      title={`${words}\n${build.subject || build.reason}`}
      data-running={standing === "running" || undefined}
      style={{
        top,
        height: height - 1,
        left: `${(100 * lane) / lanes}%`,
        width: `calc(${100 / lanes}% - 2px)`,
        background: `var(--mantine-color-${COLOURS[standing]}-filled)`,
        color: standing === "warnings" ? "#000" : "#fff",
      }}
    >
      <b>#{build.number}</b> {standing !== "success" && lanes === 1 && standing}
      {height >= TWO_LINES_PX && took !== undefined && <small>{took}</small>}
    </Link>
  );
}
