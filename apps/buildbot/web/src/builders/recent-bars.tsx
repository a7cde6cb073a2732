import { Tooltip } from "@mantine/core";
import { Link } from "wouter";
import type { BuildSummary } from "../../../src/contracts/values.ts";
import { COLOURS, standingOf } from "../data/results.ts";
import { durationWords } from "../data/time-words.ts";
import { buildPath } from "../parts/link.tsx";
import styles from "./recent-bars.module.css";

const PLACES = 20;

/** The last builds, oldest on the left: colour and height say how each ended and how long it took beside the others. */
export function RecentBars({ builds }: { builds: readonly BuildSummary[] }) {
  const shown = builds.slice(0, PLACES).toReversed();
  const longest = Math.max(1, ...shown.map((build) => (build.finishedAt ?? build.startedAt) - build.startedAt));
  return (
    <ol className={styles.bars} aria-label="recent builds">
      {Array.from({ length: PLACES - shown.length }, (_, place) => (
        <li key={-place} className={styles.empty} aria-hidden />
      ))}
      {shown.map((build) => {
        const standing = standingOf(build);
        const took = build.finishedAt === undefined ? undefined : build.finishedAt - build.startedAt;
        const label = `#${build.number} ${standing}${took === undefined ? "" : `, ${durationWords(took)}`}`;
        const height = took === undefined ? 100 : 30 + (70 * took) / longest;
        return (
          <li key={build.id}>
            <Tooltip label={label}>
              <Link href={buildPath(build.id)} aria-label={label} className={styles.bar}>
                <span
                  style={{ height: `${height}%`, background: `var(--mantine-color-${COLOURS[standing]}-filled)` }}
                />
              </Link>
            </Tooltip>
          </li>
        );
      })}
    </ol>
  );
}
