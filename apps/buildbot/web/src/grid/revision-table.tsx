import { Text } from "@mantine/core";
import { Link } from "wouter";
import type { BuildSummary } from "../../../src/contracts/values.ts";
import { byRevision } from "../data/by-revision.ts";
import { standingOf } from "../data/results.ts";
import { builderPath, buildPath, personName, shortRevision } from "../parts/link.tsx";
import { StandingIcon } from "../parts/standing.tsx";
import { Ago } from "../parts/times.tsx";
import styles from "./grid.module.css";

/** So many names stand beside each other; more stand upright. */
const MOST_LYING = 8;
/** Of one revision by one builder, the newest; where names stand upright, the newest one alone. */
const MOST_IN_CELL = 4;

/** Builders across, revisions down: what each made of each. */
export function RevisionTable({ builds, names }: { builds: readonly BuildSummary[]; names: readonly string[] }) {
  const isUpright = names.length > MOST_LYING;
  return (
    <div className={styles.scroll} tabIndex={0} role="region" aria-label="builds by revision and builder">
      <table className={styles.grid} data-upright={isUpright || undefined}>
        <thead>
          <tr>
            <th scope="col">Revision</th>
            {names.map((name) => (
              <th key={name} scope="col">
                <Link href={builderPath(name)} className={styles.name} title={name}>
                  {name}
                </Link>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {byRevision(builds).map(({ revision, newest, cells }) => (
            <tr key={revision}>
              <th scope="row">
                <Text size="sm" truncate maw={320} title={newest.subject}>
                  {newest.subject || "not known yet"}
                </Text>
                <Text size="xs" c="dimmed" fw={400} truncate maw={320}>
                  {shortRevision(revision)} {newest.author && `· ${personName(newest.author)}`} ·{" "}
                  <Ago at={newest.startedAt} />
                </Text>
              </th>
              {names.map((name) => (
                <td key={name}>
                  {(cells.get(name) ?? []).slice(0, isUpright ? 1 : MOST_IN_CELL).map((build) => (
                    <Link key={build.id} href={buildPath(build.id)} className={styles.cell}>
                      <StandingIcon
                        standing={standingOf(build)}
                        size={26}
                        label={`${name} #${build.number}: ${standingOf(build)}`}
                      />
                    </Link>
                  ))}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
