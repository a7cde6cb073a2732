import { List, Text } from "@mantine/core";
import type { BuilderDetail } from "../../../src/contracts/values.ts";
import { schedulerWords } from "../data/scheduler-words.ts";
import { useNow } from "../data/use-now.ts";
import { Ago } from "../parts/times.tsx";

/** What a builder does, and what makes it build by itself. */
export function WhenBuilt({ schedulers, steps }: Pick<BuilderDetail, "schedulers" | "steps">) {
  const now = useNow(5_000);
  return (
    <List size="sm" c="dimmed" spacing={2}>
      <List.Item>does {steps.join(", then ")}</List.Item>
      {schedulers.length === 0 && <List.Item>builds when somebody asks for it</List.Item>}
      {schedulers.map(({ scheduler, nextAt }, index) => (
        <List.Item key={index}>
          builds {schedulerWords(scheduler)}
          {/* It may have passed without a build, of which nobody is told. */}
          {nextAt !== undefined && nextAt > now && (
            <Text span inherit>
              {", due "}
              <Ago at={nextAt} />
            </Text>
          )}
        </List.Item>
      ))}
    </List>
  );
}
