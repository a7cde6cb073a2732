import { Group, Stack, Text } from "@mantine/core";
import type { BuildSummary } from "../../../src/contracts/values.ts";
import { standingOf } from "../data/results.ts";
import styles from "./build-row.module.css";
import { builderPath, buildPath, personName, shortRevision, To } from "./link.tsx";
import { StandingIcon } from "./standing.tsx";
import { Ago, Elapsed } from "./times.tsx";

/** One build in a list; on a phone in two lines. */
export function BuildRow({ build, withBuilder = true }: { build: BuildSummary; withBuilder?: boolean }) {
  return (
    <div className={styles.row}>
      <StandingIcon standing={standingOf(build)} size={26} />
      <Stack gap={0} className={styles.middle}>
        <Group gap={6} wrap="nowrap">
          {withBuilder && (
            <To href={builderPath(build.builder)} c="dimmed" size="sm" truncate className={styles.builder}>
              {build.builder}
            </To>
          )}
          <To href={buildPath(build.id)} fw={600} size="sm" className={styles.number}>
            #{build.number}
          </To>
          <Text size="sm" truncate flex="1 1 0" miw={0} title={build.subject}>
            {build.subject || build.reason}
          </Text>
        </Group>
        <Text size="xs" c="dimmed" truncate>
          {[build.branch, shortRevision(build.revision), personName(build.author), build.summary]
            .filter(Boolean)
            .join(" · ")}
        </Text>
      </Stack>
      <Stack gap={0} className={styles.end}>
        <Text size="sm">
          <Elapsed from={build.startedAt} to={build.finishedAt} />
        </Text>
        <Text size="xs" c="dimmed">
          <Ago at={build.finishedAt ?? build.startedAt} />
        </Text>
      </Stack>
    </div>
  );
}

export function BuildList({ builds, withBuilder = true }: { builds: readonly BuildSummary[]; withBuilder?: boolean }) {
  return (
    <ul className={styles.list}>
      {builds.map((build) => (
        <li key={build.id}>
          <BuildRow build={build} withBuilder={withBuilder} />
        </li>
      ))}
    </ul>
  );
}
