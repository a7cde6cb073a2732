import "@mantine/charts/styles.css";
import { BarChart, LineChart } from "@mantine/charts";
import { SimpleGrid, Stack, Text } from "@mantine/core";
import { durationWords } from "../data/time-words.ts";

export interface Bucket {
  readonly day: string;
  readonly success: number;
  readonly other: number;
  readonly medianSeconds: number;
  readonly longestSeconds: number;
}

const HEIGHT = 200;
const X_AXIS = { interval: "equidistantPreserveStart", padding: { left: 6, right: 10 } } as const;
const DAY = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", timeZone: "UTC" });

/** Finer than elsewhere: what stands at an axis must tell its lines apart. */
function secondsWords(seconds: number): string {
  if (seconds > 0 && seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  return seconds < 10 ? `${Number(seconds.toFixed(2))} s` : durationWords(seconds * 1000);
}

export function TrendCharts({ buckets }: { buckets: readonly Bucket[] }) {
  const data = buckets.map((bucket) => ({
    ...bucket,
    day: DAY.format(Date.parse(bucket.day)),
    // A day without a build took no time, and none is drawn for it.
    medianSeconds: bucket.success + bucket.other > 0 ? bucket.medianSeconds : null,
    longestSeconds: bucket.success + bucket.other > 0 ? bucket.longestSeconds : null,
  }));
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }} spacing="lg">
      <Stack gap={4} role="figure" aria-label="builds per day by result">
        <Text size="sm" c="dimmed">
          Builds per day
        </Text>
        <BarChart
          h={HEIGHT}
          data={data}
          dataKey="day"
          type="stacked"
          withLegend
          xAxisProps={X_AXIS}
          yAxisProps={{ allowDecimals: false, width: 32 }}
          series={[
            { name: "success", label: "success", color: "green.6" },
            { name: "other", label: "not successful", color: "red.6" },
          ]}
        />
      </Stack>
      <Stack gap={4} role="figure" aria-label="durations per day">
        <Text size="sm" c="dimmed">
          Duration
        </Text>
        <LineChart
          h={HEIGHT}
          data={data}
          dataKey="day"
          withLegend
          connectNulls
          curveType="linear"
          valueFormatter={secondsWords}
          xAxisProps={X_AXIS}
          yAxisProps={{ width: 64 }}
          series={[
            { name: "medianSeconds", label: "median", color: "blue.6" },
            { name: "longestSeconds", label: "longest", color: "gray.6" },
          ]}
        />
      </Stack>
    </SimpleGrid>
  );
}
