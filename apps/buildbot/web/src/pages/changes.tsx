import { Alert, Button, Card, Code, Group, NativeSelect, Stack, Text } from "@mantine/core";
import { IconAlertTriangle, IconRefresh } from "@tabler/icons-react";
import { useState } from "react";
import { Link } from "wouter";
import { BuildCommit } from "../builders/build-commit.tsx";
import { attempt, notice } from "../data/notices.ts";
import { standingOf } from "../data/results.ts";
import { useBuilders } from "../data/use-builders.ts";
import { useLoaded } from "../data/use-loaded.ts";
import { useMay } from "../data/use-me.tsx";
import { buildPath, personName, shortRevision } from "../parts/link.tsx";
import styles from "./changes.module.css";
import { Page } from "../parts/page.tsx";
import { StandingIcon } from "../parts/standing.tsx";
import { Nothing, Shown } from "../parts/states.tsx";
import { Ago } from "../parts/times.tsx";
import { bots, house } from "../rpc/connection.ts";
import { buildFeed, commandFeed, houseFeed, useFeed } from "../rpc/live.ts";

const LIMIT = 50;
/** Builds of a commit, the newest. */
const MOST_ICONS = 6;

export function ChangesPage() {
  const [repository, setRepository] = useState("");
  const [isAll, setIsAll] = useState(false);
  const wanted = repository === "" ? {} : { repository };
  const mayBuild = useMay("developer");
  const builders = useBuilders();
  const repositories = useLoaded("repositories", (signal) => house.repositories(undefined, { signal }));
  const changes = useLoaded(`changes ${repository}`, (signal) =>
    house.changes({ ...wanted, limit: LIMIT }, { signal }),
  );
  useFeed(houseFeed, () => {
    repositories.reload();
    changes.reload();
  });
  useFeed(buildFeed, changes.reload);
  useFeed(commandFeed, ({ method, finishedAt }) => {
    if (!method.startsWith("poll") || finishedAt === undefined) return;
    repositories.reload();
    changes.reload();
  });
  const more = async (): Promise<void> => {
    const before = changes.value?.at(-1)?.id;
    if (before === undefined) return;
    const older = await attempt("Older changes", () => house.changes({ ...wanted, before, limit: LIMIT }));
    if (older === undefined) return;
    setIsAll(older.length < LIMIT);
    changes.set((all) => [...all, ...older]);
  };
  const buildersOf = (name: string) => (builders.value ?? []).filter((one) => one.repository === name);
  const look = async (): Promise<void> => {
    // One of them is enough: what it finds, all see.
    const bot = (await attempt("Nobody was told", () => bots.list()))?.find(({ present }) => present);
    if (bot === undefined) return notice("failed", "Nobody looks", "no bot is there that could");
    const told = await attempt("Nobody was told", () => bots.command({ bot: bot.name, method: "pollAllSources" }));
    if (told) notice("done", `${bot.name} looks at all repositories`);
  };
  const choice = (
    <NativeSelect
      aria-label="repository"
      data={[{ value: "", label: "all repositories" }, ...(repositories.value ?? []).map(({ name }) => name)]}
      value={repository}
      onChange={(event) => {
        setRepository(event.currentTarget.value);
        setIsAll(false);
      }}
    />
  );
  return (
    <Page
      title="Changes"
      tools={
        <>
          {mayBuild && (
            <Button variant="default" leftSection={<IconRefresh size={16} aria-hidden />} onClick={() => void look()}>
              Look now
            </Button>
          )}
          {choice}
        </>
      }
    >
      {(repositories.value ?? []).map((one) => (
        <RepositoryLine key={one.name} repository={one} />
      ))}
      <Shown of={changes}>
        {(list) =>
          list.length === 0 ? (
            <Nothing>No commit is known yet. Bots look for them when they poll.</Nothing>
          ) : (
            <Card withBorder padding="xs">
              <Stack gap={0}>
                {list.map((commit) => (
                  <Group key={commit.id} justify="space-between" py={8} px={4} gap="xs" className={styles.commit}>
                    <Stack gap={2} miw={0} flex="1 1 260px">
                      <Text size="sm" lineClamp={2} title={commit.subject}>
                        {commit.subject}
                      </Text>
                      <Text size="xs" c="dimmed">
                        <Code>{shortRevision(commit.hash)}</Code> {commit.repository} · {commit.branch} ·{" "}
                        {personName(commit.author)} · <Ago at={commit.at} />
                      </Text>
                    </Stack>
                    <Group gap={4} wrap="nowrap">
                      {commit.builds.slice(0, MOST_ICONS).map((build) => (
                        <Link key={build.id} href={buildPath(build.id)} className={styles.build}>
                          <StandingIcon
                            standing={standingOf(build)}
                            label={`${build.builder} #${build.number}: ${standingOf(build)}`}
                          />
                        </Link>
                      ))}
                      {mayBuild && <BuildCommit commit={commit} builders={buildersOf(commit.repository)} />}
                    </Group>
                  </Group>
                ))}
              </Stack>
            </Card>
          )
        }
      </Shown>
      {(changes.value?.length ?? 0) >= LIMIT && !isAll && (
        <Button variant="default" onClick={() => void more()}>
          Older changes
        </Button>
      )}
    </Page>
  );
}

type Repository = Awaited<ReturnType<typeof house.repositories>>[number];

function RepositoryLine({ repository: { name, url, problem, polledAt } }: { repository: Repository }) {
  const when = polledAt === undefined ? "never looked at" : <Ago at={polledAt} />;
  if (problem === undefined) {
    return (
      <Text size="sm" c="dimmed">
        <b>{name}</b> {url} · {polledAt !== undefined && "looked at "}
        {when}
      </Text>
    );
  }
  return (
    <Alert color="orange" icon={<IconAlertTriangle aria-hidden />} title={`${name} could not be looked at`}>
      <Text size="sm">{problem}</Text>
      <Text size="xs" c="dimmed">
        {url} · {when}
      </Text>
    </Alert>
  );
}
