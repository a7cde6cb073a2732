import { Button, Menu } from "@mantine/core";
import {
  IconAdjustments,
  IconChevronDown,
  IconGitPullRequest,
  IconPlayerPause,
  IconPlayerPlay,
  IconSearch,
  IconWaveSine,
  type TablerIcon,
} from "@tabler/icons-react";
import { attempt, notice } from "../data/notices.ts";
import { useMay } from "../data/use-me.tsx";
import { bots } from "../rpc/connection.ts";

type Method = Parameters<typeof bots.command>[0]["method"];

const COMMANDS: readonly { readonly method: Method; readonly name: string; readonly icon: TablerIcon }[] = [
  { method: "ping", name: "Ping", icon: IconWaveSine },
  { method: "triggerMasterRequests", name: "Look for builds now", icon: IconSearch },
  { method: "pollAllSources", name: "Poll all repositories", icon: IconGitPullRequest },
  { method: "triggerAllReconfig", name: "Reconfigure", icon: IconAdjustments },
  { method: "pause", name: "Pause", icon: IconPlayerPause },
  { method: "resume", name: "Resume", icon: IconPlayerPlay },
];

/** One row for each bot; what becomes of each is shown with it. */
export function AllBots() {
  const mayTell = useMay("developer");
  const tell = async ({ method, name }: (typeof COMMANDS)[number]): Promise<void> => {
    const rows = await attempt("Nobody was told", () => bots.command({ bot: "*", method }));
    if (rows) notice("done", `${name}: ${rows.length} ${rows.length === 1 ? "bot is" : "bots are"} told`);
  };
  if (!mayTell) return undefined;
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="default" rightSection={<IconChevronDown size={16} aria-hidden />}>
          All bots
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {COMMANDS.map((command) => (
          <Menu.Item
            key={command.method}
            leftSection={<command.icon size={14} aria-hidden />}
            onClick={() => void tell(command)}
          >
            {command.name}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
