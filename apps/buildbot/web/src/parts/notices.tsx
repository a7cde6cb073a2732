import { Notification, Stack } from "@mantine/core";
import { IconCheck, IconX } from "@tabler/icons-react";
import { dismiss, useNotices } from "../data/notices.ts";
import styles from "./notices.module.css";

export function Notices() {
  return (
    <Stack className={styles.corner} gap="xs" role="status" aria-live="polite">
      {useNotices().map(({ id, kind, title, text }) => (
        <Notification
          key={id}
          title={title}
          color={kind === "done" ? "green" : "red"}
          icon={kind === "done" ? <IconCheck size={18} aria-hidden /> : <IconX size={18} aria-hidden />}
          onClose={() => dismiss(id)}
          closeButtonProps={{ "aria-label": "dismiss" }}
          withBorder
        >
          {text}
        </Notification>
      ))}
    </Stack>
  );
}
