import { Text, Timeline } from "@mantine/core";
import { useLoaded } from "../data/use-loaded.ts";
import { Nothing, Shown } from "../parts/states.tsx";
import { Ago } from "../parts/times.tsx";
import { settings } from "../rpc/connection.ts";

export function History({ version }: { version: number }) {
  const history = useLoaded(`history ${version}`, (signal) => settings.history({ limit: 100 }, { signal }));
  return (
    <Shown of={history}>
      {(versions) =>
        versions.length === 0 ? (
          <Nothing>Nothing has been saved yet.</Nothing>
        ) : (
          <Timeline bulletSize={14} lineWidth={2}>
            {versions.map((one) => (
              <Timeline.Item key={one.version} title={`${one.version}: ${one.note || "without a note"}`}>
                <Text size="xs" c="dimmed">
                  {one.author}, <Ago at={one.at} />
                </Text>
              </Timeline.Item>
            ))}
          </Timeline>
        )
      }
    </Shown>
  );
}
