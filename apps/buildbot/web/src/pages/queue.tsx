import { Button, Card, Group, Stack, Switch, Text } from "@mantine/core";
import { useState } from "react";
import type { BuildRequest } from "../../../src/contracts/values.ts";
import { standingOf } from "../data/results.ts";
import { useLoaded } from "../data/use-loaded.ts";
import { useMay } from "../data/use-me.tsx";
import { type Ask, AskReason } from "../parts/ask-reason.tsx";
import { attempt, notice } from "../data/notices.ts";
import { builderPath, buildPath, shortRevision, To } from "../parts/link.tsx";
import { Page } from "../parts/page.tsx";
import { StandingBadge } from "../parts/standing.tsx";
import { Nothing, Shown } from "../parts/states.tsx";
import { Ago } from "../parts/times.tsx";
import { builds } from "../rpc/connection.ts";
import { queueFeed, useFeed } from "../rpc/live.ts";

export function QueuePage() {
  const [isAll, setAll] = useState(false);
  const [ask, setAsk] = useState<Ask>();
  const requests = useLoaded(`requests ${isAll}`, (signal) =>
    builds.requests({ pendingOnly: !isAll, limit: 200 }, { signal }),
  );
  useFeed(queueFeed, requests.reload);
  const mayCancel = useMay("developer");
  const cancel = (request: BuildRequest): void =>
    setAsk({
      title: `Take request ${request.id} of ${request.builder} out of the queue?`,
      button: "Take it out",
      act: async (reason) => {
        const done = await attempt("It stays in the queue", () => builds.cancelRequest({ id: request.id, reason }));
        if (done) notice("done", `Request ${request.id} is cancelled`);
        requests.reload();
      },
    });
  return (
    <Page
      title="Queue"
      tools={
        <Switch label="ended ones too" checked={isAll} onChange={(event) => setAll(event.currentTarget.checked)} />
      }
    >
      <Shown of={requests}>
        {(list) =>
          list.length === 0 ? (
            <Nothing>
              {isAll
                ? "Nothing has been asked for yet."
                : "Nothing waits for a bot. What schedulers and people ask for stands here until it is begun."}
            </Nothing>
          ) : (
            <Stack gap="xs">
              {list.map((request) => (
                <Card key={request.id} withBorder padding="sm">
                  <Group justify="space-between" gap="sm">
                    <RequestWords request={request} />
                    {request.state === "pending" && mayCancel && (
                      <Button
                        size="xs"
                        variant="light"
                        color="red"
                        onClick={() => cancel(request)}
                        aria-label={`cancel request ${request.id}`}
                      >
                        Cancel
                      </Button>
                    )}
                  </Group>
                </Card>
              ))}
            </Stack>
          )
        }
      </Shown>
      <AskReason ask={ask} close={() => setAsk(undefined)} />
    </Page>
  );
}

function RequestWords({ request }: { request: BuildRequest }) {
  const parameters = Object.entries(request.properties);
  return (
    <Stack gap={2} flex={1} miw={220}>
      <Group gap="xs">
        <StandingBadge standing={standingOf(request)} />
        <To href={builderPath(request.builder)} fw={600}>
          {request.builder}
        </To>
        {request.buildId !== undefined && (
          <To href={buildPath(request.buildId)} size="sm">
            its build
          </To>
        )}
      </Group>
      <Text size="sm">
        {request.reason} · {request.branch}
        {request.revision && ` at ${shortRevision(request.revision)}`}
        {request.priority !== 0 && ` · priority ${request.priority}`}
        {parameters.length > 0 && ` · ${parameters.map(([name, value]) => `${name}=${value}`).join(", ")}`}
      </Text>
      {request.cancelReason && <Text size="sm">taken out: {request.cancelReason}</Text>}
      <Text size="xs" c="dimmed">
        request {request.id} by {request.submittedBy}, <Ago at={request.submittedAt} />
        {request.claimedBy && ` · taken by ${request.claimedBy}`}
      </Text>
    </Stack>
  );
}
