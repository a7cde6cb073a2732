import { Button, Card, Stack } from "@mantine/core";
import { useState } from "react";
import { CommandLine } from "../bots/command-line.tsx";
import { attempt } from "../data/notices.ts";
import { useCommands } from "../data/use-commands.ts";
import { Page } from "../parts/page.tsx";
import { SearchField } from "../parts/search-field.tsx";
import { Nothing, Shown } from "../parts/states.tsx";
import { bots } from "../rpc/connection.ts";

const LIMIT = 100;

export function CommandsPage() {
  const commands = useCommands(LIMIT);
  const [search, setSearch] = useState("");
  const [isAll, setIsAll] = useState(false);
  const more = async (): Promise<void> => {
    const before = commands.value?.at(-1)?.id;
    if (before === undefined) return;
    const older = await attempt("Older commands", () => bots.commands({ before, limit: LIMIT }));
    if (older === undefined) return;
    setIsAll(older.length < LIMIT);
    commands.set((all) => [...all, ...older]);
  };
  const wanted = search.trim().toLowerCase();
  const field = (
    <SearchField
      aria-label="search commands"
      placeholder="Bot, method, state or person"
      value={search}
      onChange={(event) => setSearch(event.currentTarget.value)}
    />
  );
  return (
    <Page title="Commands" tools={field}>
      <Shown of={commands}>
        {(all) => {
          const found = all.filter(({ bot, method, state, createdBy }) =>
            [bot, method, state, createdBy].some((word) => word.toLowerCase().includes(wanted)),
          );
          if (found.length === 0)
            return <Nothing>{wanted ? "No command is like that." : "No bot was told anything yet."}</Nothing>;
          return (
            <Card withBorder padding="sm">
              <Stack gap={0}>
                {found.map((command) => (
                  <CommandLine key={command.id} command={command} withBot />
                ))}
              </Stack>
            </Card>
          );
        }}
      </Shown>
      {(commands.value?.length ?? 0) >= LIMIT && !isAll && (
        <Button variant="default" onClick={() => void more()}>
          Older commands
        </Button>
      )}
    </Page>
  );
}
