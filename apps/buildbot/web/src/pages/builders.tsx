import { SimpleGrid, Stack, Title } from "@mantine/core";
import { useState } from "react";
import { BuilderCard } from "../builders/builder-card.tsx";
import { useBuilders } from "../data/use-builders.ts";
import { Page } from "../parts/page.tsx";
import { SearchField } from "../parts/search-field.tsx";
import { NoBuilder } from "../builders/no-builder.tsx";
import { Nothing, Shown } from "../parts/states.tsx";

export function BuildersPage() {
  const builders = useBuilders();
  const [search, setSearch] = useState("");
  const isWanted = (words: readonly string[]): boolean =>
    words.some((word) => word.toLowerCase().includes(search.trim().toLowerCase()));
  return (
    <Page
      title="Builders"
      tools={
        <SearchField
          aria-label="search builders"
          placeholder="Name, group or repository"
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
      }
    >
      <Shown of={builders}>
        {(all) => {
          const found = all.filter(({ name, title, group, repository }) => isWanted([name, title, group, repository]));
          const groups = [...Map.groupBy(found, ({ group }) => group)].sort(
            ([a], [b]) => Number(a === "") - Number(b === "") || a.localeCompare(b),
          );
          if (found.length === 0) return search ? <Nothing>No builder is called like that.</Nothing> : <NoBuilder />;
          return groups.map(([group, members]) => (
            <Stack key={group} gap="xs">
              {(groups.length > 1 || group) && (
                <Title order={2} size="h4">
                  {group || "Others"}
                </Title>
              )}
              <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} spacing="sm">
                {members.map((builder) => (
                  <BuilderCard key={builder.name} builder={builder} />
                ))}
              </SimpleGrid>
            </Stack>
          ));
        }}
      </Shown>
    </Page>
  );
}
