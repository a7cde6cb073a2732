import { Card, Group, SimpleGrid, Stack, Text } from "@mantine/core";
import type { BuilderSummary } from "../../../src/contracts/values.ts";
import { type Standing, standingOf } from "../data/results.ts";
import { lastFinished } from "../data/use-builders.ts";
import { To } from "../parts/link.tsx";
import { StandingIcon } from "../parts/standing.tsx";
import { BuilderCard } from "./builder-card.tsx";

/** So many are shown whole; of more those that somebody should look at, and the rest counted. */
const MOST_CARDS = 9;
const MOST_URGENT = 6;
const URGENCY: readonly Standing[] = ["exception", "failure", "retry", "warnings", "running", "waiting"];

const WORDS: Readonly<Partial<Record<Standing, string>>> = {
  success: "good",
  failure: "failed",
  warnings: "with warnings",
  exception: "with an exception",
  waiting: "not built yet",
};

export function Health({ builders }: { builders: readonly BuilderSummary[] }) {
  if (builders.length <= MOST_CARDS) return <Cards of={builders} />;
  const byStanding = Map.groupBy(builders, healthOf);
  const worth = builders
    .filter((builder) => URGENCY.includes(healthOf(builder)))
    .toSorted((a, b) => URGENCY.indexOf(healthOf(a)) - URGENCY.indexOf(healthOf(b)));
  return (
    <Stack gap="sm">
      <Card withBorder padding="sm">
        <Group gap="lg">
          {[...byStanding].map(([standing, members]) => (
            <Group key={standing} gap={6} wrap="nowrap">
              <StandingIcon standing={standing} label={standing} />
              <Text size="sm">
                {members.length} {WORDS[standing] ?? standing}
              </Text>
            </Group>
          ))}
          <To href="/builders" size="sm" ml="auto">
            All {builders.length} builders
          </To>
        </Group>
      </Card>
      <Cards of={worth.slice(0, MOST_URGENT)} />
    </Stack>
  );
}

function Cards({ of }: { of: readonly BuilderSummary[] }) {
  return (
    <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} spacing="sm">
      {of.map((builder) => (
        <BuilderCard key={builder.name} builder={builder} />
      ))}
    </SimpleGrid>
  );
}

function healthOf(builder: BuilderSummary): Standing {
  const last = lastFinished(builder);
  if (last !== undefined) return standingOf(last);
  return builder.running.length > 0 ? "running" : "waiting";
}
