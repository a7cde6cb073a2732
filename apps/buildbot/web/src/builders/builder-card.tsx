import { Badge, Card, Group, Stack, Text } from "@mantine/core";
import type { BuilderSummary } from "../../../src/contracts/values.ts";
import { standingOf } from "../data/results.ts";
import { lastFinished } from "../data/use-builders.ts";
import { builderPath, buildPath, To } from "../parts/link.tsx";
import { StandingIcon } from "../parts/standing.tsx";
import { Ago, Elapsed } from "../parts/times.tsx";
import { RecentBars } from "./recent-bars.tsx";

/** How a builder is: its last result, what it does now, and how it went lately. */
export function BuilderCard({ builder }: { builder: BuilderSummary }) {
  const last = lastFinished(builder);
  const [running] = builder.running;
  return (
    <Card withBorder padding="sm">
      <Stack gap={8}>
        <Group wrap="nowrap" gap="sm" align="flex-start">
          <StandingIcon
            standing={last ? standingOf(last) : running ? "running" : "waiting"}
            size={30}
            label={(last ?? running) ? undefined : "not built yet"}
          />
          <Stack gap={0} miw={0} flex={1}>
            <To href={builderPath(builder.name)} fw={600} truncate>
              {builder.title || builder.name}
            </To>
            <Text size="xs" c="dimmed" truncate>
              {builder.repository} · {builder.branch}
            </Text>
          </Stack>
          {builder.pending > 0 && (
            <Badge variant="light" color="gray">
              {builder.pending} waiting
            </Badge>
          )}
        </Group>
        <RecentBars builds={builder.recent} />
        <Text size="xs" c="dimmed" truncate>
          {running ? (
            <>
              <To href={buildPath(running.id)}>#{running.number}</To> runs for <Elapsed from={running.startedAt} />
              {running.summary && ` · ${running.summary}`}
            </>
          ) : last ? (
            <>
              <To href={buildPath(last.id)}>#{last.number}</To> {last.results}{" "}
              <Ago at={last.finishedAt ?? last.startedAt} />
              {last.summary && ` · ${last.summary}`}
            </>
          ) : (
            "nothing built yet"
          )}
        </Text>
      </Stack>
    </Card>
  );
}
