import { Badge, Card, Group, Stack, Text } from "@mantine/core";
import { IconPlugConnected, IconPlugConnectedX } from "@tabler/icons-react";
import type { BotSummary, CommandSummary } from "../../../src/contracts/values.ts";
import { BuildList } from "../parts/build-row.tsx";
import { Ago } from "../parts/times.tsx";
import { BotButtons } from "./bot-buttons.tsx";
import { CommandLine } from "./command-line.tsx";

export function BotCard({ bot, commands }: { bot: BotSummary; commands: readonly CommandSummary[] }) {
  const about = Object.entries(bot.about);
  return (
    <Card withBorder padding="md" data-bot={bot.name}>
      <Stack gap="sm">
        <Group justify="space-between" gap="sm">
          <Group gap="xs">
            <Text fw={700} size="lg" component="h2">
              {bot.name}
            </Text>
            <Badge
              color={bot.present ? "green" : "gray"}
              variant="light"
              leftSection={
                bot.present ? <IconPlugConnected size={12} aria-hidden /> : <IconPlugConnectedX size={12} aria-hidden />
              }
            >
              {bot.present ? "present" : "away"}
            </Badge>
            {bot.paused && (
              <Badge color="yellow" variant="light">
                paused
              </Badge>
            )}
            <Badge variant="default">
              {bot.running.length} of {bot.maxBuilds} running
            </Badge>
          </Group>
          <BotButtons bot={bot} />
        </Group>
        <Text size="xs" c="dimmed">
          {bot.lastSeenAt === undefined ? (
            "never seen"
          ) : (
            <>
              last seen <Ago at={bot.lastSeenAt} />
            </>
          )}
          {about.length > 0 && ` · ${about.map(([name, value]) => `${name} ${value}`).join(" · ")}`}
        </Text>
        {bot.running.length > 0 && <BuildList builds={bot.running} />}
        {commands.length > 0 && (
          <Stack gap={0} role="log" aria-label={`commands of ${bot.name}`}>
            {commands.map((command) => (
              <CommandLine key={command.id} command={command} />
            ))}
          </Stack>
        )}
      </Stack>
    </Card>
  );
}
