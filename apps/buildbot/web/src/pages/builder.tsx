import { Badge, Button, Card, Group, Stack, Text, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconPlayerPlay } from "@tabler/icons-react";
import { BadgeSnippet } from "../builders/badge-snippet.tsx";
import { ForceDialog } from "../builders/force-dialog.tsx";
import { Trends } from "../builders/trends.tsx";
import { WhenBuilt } from "../builders/when-built.tsx";
import { useBuilder } from "../data/use-builders.ts";
import { useBuilds } from "../data/use-builds.ts";
import { useMay } from "../data/use-me.tsx";
import { To } from "../parts/link.tsx";
import { MoreBuilds } from "../parts/more-builds.tsx";
import { Page } from "../parts/page.tsx";
import { Nothing, Shown } from "../parts/states.tsx";

export function BuilderPage({ name }: { name: string }) {
  const builder = useBuilder(name);
  const builds = useBuilds({ builder: name, limit: 30 });
  const [isForcing, force] = useDisclosure(false);
  const mayForce = useMay("developer");
  const button = (
    <Button
      leftSection={<IconPlayerPlay size={16} aria-hidden />}
      onClick={force.open}
      disabled={!mayForce || !builder.value}
    >
      Build now
    </Button>
  );
  return (
    <Page title={name} head={builder.value?.title || name} tools={button}>
      <Shown of={builder}>
        {(one) => (
          <>
            <Group gap="xs">
              {one.group && <Badge variant="light">{one.group}</Badge>}
              <Text size="sm" c="dimmed">
                {one.repository} · {one.branch} · bots {one.bots.join(", ")}
              </Text>
              {one.pending > 0 && (
                <To href="/queue" size="sm">
                  {one.pending} waiting
                </To>
              )}
            </Group>
            <WhenBuilt schedulers={one.schedulers} steps={one.steps} />
            <Trends builder={name} newest={one.recent[0]?.finishedAt ?? 0} />
            <ForceDialog builder={one} opened={isForcing} close={force.close} />
          </>
        )}
      </Shown>
      <Card withBorder padding="md">
        <Stack gap="sm">
          <Title order={2} size="h4">
            Builds
          </Title>
          <Shown of={builds}>
            {(list) =>
              list.length === 0 ? (
                <Nothing>Nothing has been built yet: Build now asks for the first one.</Nothing>
              ) : (
                <MoreBuilds builds={builds} withBuilder={false} />
              )
            }
          </Shown>
        </Stack>
      </Card>
      {builder.value && <BadgeSnippet builder={name} newest={builder.value.recent[0]?.finishedAt ?? 0} />}
    </Page>
  );
}
