import { Group, Stack, Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";
import styles from "./page.module.css";

/** A page: its name in the tab and above it, and what can be done on the right. */
export function Page({
  title,
  head,
  tools,
  children,
}: {
  title: string;
  head?: ReactNode;
  tools?: ReactNode;
  children: ReactNode;
}) {
  useEffect(() => {
    document.title = `${title} · Build bot`;
  }, [title]);
  return (
    <Stack gap="lg">
      <Group justify="space-between" align="center" gap="sm">
        <Title order={1} size="h2">
          {head ?? title}
        </Title>
        {tools && (
          <Group gap="xs" className={styles.tools}>
            {tools}
          </Group>
        )}
      </Group>
      {children}
    </Stack>
  );
}
