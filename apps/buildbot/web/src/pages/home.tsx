import { Card, Stack, Title } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { Health } from "../builders/health.tsx";
import { NoBuilder } from "../builders/no-builder.tsx";
import { useBuilders } from "../data/use-builders.ts";
import { useBuilds } from "../data/use-builds.ts";
import { MoreBuilds } from "../parts/more-builds.tsx";
import { Page } from "../parts/page.tsx";
import { SearchField } from "../parts/search-field.tsx";
import { Nothing, Shown } from "../parts/states.tsx";

export function HomePage() {
  const [search, setSearch] = useState("");
  const [wanted] = useDebouncedValue(search, 250);
  const builders = useBuilders();
  const builds = useBuilds({ search: wanted || undefined, limit: 30 });
  return (
    <Page title="Home">
      <Shown of={builders}>{(all) => (all.length === 0 ? <NoBuilder /> : <Health builders={all} />)}</Shown>
      <Card withBorder padding="md">
        <Stack gap="sm">
          <Title order={2} size="h4">
            Recent builds
          </Title>
          <SearchField
            aria-label="search builds"
            placeholder="Subject, author, revision or reason"
            value={search}
            onChange={(event) => setSearch(event.currentTarget.value)}
          />
          <Shown of={builds}>
            {(list) =>
              list.length === 0 ? (
                <Nothing>
                  {wanted
                    ? "No build is like that."
                    : "Nothing has been built yet. A builder's page has the button Build now."}
                </Nothing>
              ) : (
                <MoreBuilds builds={builds} />
              )
            }
          </Shown>
        </Stack>
      </Card>
    </Page>
  );
}
