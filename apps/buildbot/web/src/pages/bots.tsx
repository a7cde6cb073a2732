import { Button, Stack } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconPlus } from "@tabler/icons-react";
import { AllBots } from "../bots/all-bots.tsx";
import { BotCard } from "../bots/bot-card.tsx";
import { NewBot } from "../bots/new-bot.tsx";
import { useCommands } from "../data/use-commands.ts";
import { useLoaded } from "../data/use-loaded.ts";
import { useMay } from "../data/use-me.tsx";
import { Page } from "../parts/page.tsx";
import { Nothing, Shown } from "../parts/states.tsx";
import { bots } from "../rpc/connection.ts";
import { botFeed, useFeed } from "../rpc/live.ts";

const SHOWN_COMMANDS = 3;
/** What the server tells bots by itself would hide what somebody has pressed; the page of commands has it. */
const OF_ITSELF = new Set(["timer", "scheduler", "server"]);

export function BotsPage() {
  const list = useLoaded("bots", (signal) => bots.list(undefined, { signal }));
  const commands = useCommands(200);
  const [isNew, fresh] = useDisclosure(false);
  const isAdmin = useMay("admin");
  useFeed(botFeed, (bot) => {
    // One that has been removed is told of, too; the server says whether it is still there.
    if (list.value?.some(({ id }) => id === bot.id))
      list.set((all) => all.map((one) => (one.id === bot.id ? bot : one)));
    else list.reload();
  });
  return (
    <Page
      title="Bots"
      tools={
        <>
          {(list.value?.length ?? 0) > 1 && <AllBots />}
          {isAdmin && (
            <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={fresh.open}>
              New bot
            </Button>
          )}
        </>
      }
    >
      <Shown of={list}>
        {(all) =>
          all.length === 0 ? (
            <Nothing>
              No bot is known yet, and without one nothing is built.{" "}
              {isAdmin ? "New bot makes one, and shows how it is started." : "An admin makes one here."}
            </Nothing>
          ) : (
            <Stack gap="sm">
              {all.map((bot) => (
                <BotCard
                  key={bot.id}
                  bot={bot}
                  commands={(commands.value ?? [])
                    .filter((one) => one.bot === bot.name && !OF_ITSELF.has(one.createdBy))
                    .slice(0, SHOWN_COMMANDS)}
                />
              ))}
            </Stack>
          )
        }
      </Shown>
      <NewBot opened={isNew} close={fresh.close} made={list.reload} />
    </Page>
  );
}
