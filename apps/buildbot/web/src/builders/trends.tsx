import { Card, Group, NativeSelect, Skeleton, Stack, Title } from "@mantine/core";
import { lazy, Suspense, useState } from "react";
import { useLoaded } from "../data/use-loaded.ts";
import { Nothing, Shown } from "../parts/states.tsx";
import { house } from "../rpc/connection.ts";

// The charts weigh more than the rest of the page together.
const TrendCharts = lazy(async () => ({ default: (await import("./trend-charts.tsx")).TrendCharts }));

const SPANS = [
  { value: "14", label: "two weeks" },
  { value: "30", label: "a month" },
  { value: "90", label: "three months" },
  { value: "366", label: "a year" },
];

export function Trends({ builder, newest }: { builder: string; newest: number }) {
  const [days, setDays] = useState("30");
  const trends = useLoaded(`trends ${builder} ${days} ${newest}`, (signal) =>
    house.trends({ builder, days: Number(days) }, { signal }),
  );
  return (
    <Card withBorder padding="md">
      <Stack gap="sm">
        <Group justify="space-between">
          <Title order={2} size="h4">
            Trends
          </Title>
          <NativeSelect
            aria-label="time span"
            size="xs"
            data={SPANS}
            value={days}
            onChange={(event) => setDays(event.currentTarget.value)}
          />
        </Group>
        <Shown of={trends}>
          {(buckets) =>
            buckets.every(({ success, other }) => success + other === 0) ? (
              <Nothing>Nothing has ended in this time.</Nothing>
            ) : (
              <Suspense fallback={<Skeleton h={220} />}>
                <TrendCharts buckets={buckets} />
              </Suspense>
            )
          }
        </Shown>
      </Stack>
    </Card>
  );
}
