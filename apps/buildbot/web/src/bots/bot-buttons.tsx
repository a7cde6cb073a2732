import { ActionIcon, Button, Group, Menu } from "@mantine/core";
import {
  IconDots,
  IconPlayerPause,
  IconPlayerPlay,
  IconPower,
  IconRefresh,
  IconSearch,
  IconTrash,
  IconWaveSine,
} from "@tabler/icons-react";
import type { BotSummary } from "../../../src/contracts/values.ts";
import { attempt, notice } from "../data/notices.ts";
import { useMay } from "../data/use-me.tsx";
import { bots } from "../rpc/connection.ts";

type Method = Parameters<typeof bots.command>[0]["method"];

/** Each puts a row into the queue; what comes of it is shown below. */
export function BotButtons({ bot }: { bot: Pick<BotSummary, "name" | "paused"> }) {
  const mayTell = useMay("developer");
  const isAdmin = useMay("admin");
  const tell = (method: Method, graceful = true): void =>
    void attempt("The command was not issued", () => bots.command({ bot: bot.name, method, graceful }));
  const remove = async (): Promise<void> => {
    /* oxlint-disable-next-line no-alert -- asked once in a bot's life; a dialog of our own would say the same */
    if (!confirm(`Remove the bot ${bot.name}? What it builds is given to others, and its token ends.`)) return;
    const done = await attempt(`${bot.name} stays`, () => bots.remove({ name: bot.name }));
    if (done) notice("done", `${bot.name} is removed`);
  };
  if (!mayTell) return undefined;
  return (
    <Group gap={6}>
      <Button
        size="xs"
        variant="default"
        leftSection={<IconWaveSine size={14} aria-hidden />}
        onClick={() => tell("ping")}
      >
        Ping
      </Button>
      {bot.paused ? (
        <Button
          size="xs"
          variant="default"
          leftSection={<IconPlayerPlay size={14} aria-hidden />}
          onClick={() => tell("resume")}
        >
          Resume
        </Button>
      ) : (
        <Button
          size="xs"
          variant="default"
          leftSection={<IconPlayerPause size={14} aria-hidden />}
          onClick={() => tell("pause")}
        >
          Pause
        </Button>
      )}
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="default" size={30} aria-label={`more commands for ${bot.name}`}>
            <IconDots size={16} aria-hidden />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconSearch size={14} aria-hidden />} onClick={() => tell("triggerMasterRequests")}>
            Look for builds now
          </Menu.Item>
          <Menu.Item leftSection={<IconRefresh size={14} aria-hidden />} onClick={() => tell("pollAllSources")}>
            Poll all repositories
          </Menu.Item>
          <Menu.Item onClick={() => tell("triggerAllReconfig")}>Reconfigure</Menu.Item>
          <Menu.Item onClick={() => tell("status")}>Ask for its status</Menu.Item>
          {isAdmin && (
            <>
              <Menu.Divider />
              <Menu.Item leftSection={<IconPower size={14} aria-hidden />} onClick={() => tell("shutdown")}>
                Shut down after its builds
              </Menu.Item>
              <Menu.Item
                color="red"
                leftSection={<IconPower size={14} aria-hidden />}
                onClick={() => tell("shutdown", false)}
              >
                Shut down now
              </Menu.Item>
              <Menu.Item color="red" leftSection={<IconTrash size={14} aria-hidden />} onClick={() => void remove()}>
                Remove
              </Menu.Item>
            </>
          )}
        </Menu.Dropdown>
      </Menu>
    </Group>
  );
}
