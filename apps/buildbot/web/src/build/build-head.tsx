import { Group, Stack, Text } from "@mantine/core";
import type { BuildDetail } from "../../../src/contracts/values.ts";
import { standingOf } from "../data/results.ts";
import { personName, shortRevision, To } from "../parts/link.tsx";
import { StandingBadge } from "../parts/standing.tsx";
import { Ago, Elapsed } from "../parts/times.tsx";

export function BuildHead({ build }: { build: BuildDetail }) {
  return (
    <Stack gap={4}>
      <Group gap="xs">
        <StandingBadge standing={standingOf(build)} />
        {build.summary && <Text size="sm">{build.summary}</Text>}
        {build.cancelRequested && build.state === "running" && (
          <Text size="sm" c="orange">
            is being cancelled
          </Text>
        )}
      </Group>
      {build.subject && (
        <Text fw={500} lineClamp={3}>
          {build.subject}
        </Text>
      )}
      <Text size="sm" c="dimmed">
        {build.revision && <span title={build.revision}>{shortRevision(build.revision)} on </span>}
        {build.branch}
        {build.author && ` by ${personName(build.author)}`} · {withoutSubject(build)} · on{" "}
        <To href="/bots">{build.bot}</To> · began <Ago at={build.startedAt} /> ·{" "}
        {build.state === "running" ? "runs for" : "took"} <Elapsed from={build.startedAt} to={build.finishedAt} />
      </Text>
    </Stack>
  );
}

/** A scheduler's reason ends with the commit's subject, which stands above it already. */
function withoutSubject({ reason, subject }: BuildDetail): string {
  const at = subject === "" ? -1 : reason.indexOf(`: ${subject.slice(0, 40)}`);
  return at > 0 ? reason.slice(0, at) : reason;
}
