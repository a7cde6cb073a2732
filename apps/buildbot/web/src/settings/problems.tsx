import { Alert, Anchor, List } from "@mantine/core";
import type { RefObject } from "react";

export interface Problem {
  readonly line?: number | undefined;
  readonly message: string;
}

/** Each leads to its line. */
export function Problems({
  problems,
  area,
}: {
  problems: readonly Problem[];
  area: RefObject<HTMLTextAreaElement | null>;
}) {
  if (problems.length === 0) return undefined;
  const goTo = (line: number): void => {
    const field = area.current;
    if (field === null) return;
    const lines = field.value.split("\n");
    const start = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
    field.focus();
    field.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
    field.scrollTop = Math.max(0, (line - 6) * (field.scrollHeight / Math.max(1, lines.length)));
  };
  return (
    <Alert color="red" title="It cannot be saved like this">
      <List size="sm">
        {problems.map(({ line, message }, index) => (
          <List.Item key={index}>
            {line !== undefined && (
              <Anchor component="button" type="button" size="sm" onClick={() => goTo(line)}>
                line {line}
              </Anchor>
            )}{" "}
            {message}
          </List.Item>
        ))}
      </List>
    </Alert>
  );
}
