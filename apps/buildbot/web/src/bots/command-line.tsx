import { ActionIcon, Badge, Group, Text, Tooltip } from "@mantine/core";
import { IconX } from "@tabler/icons-react";
import type { CommandSummary } from "../../../src/contracts/values.ts";
import { attempt } from "../data/notices.ts";
import { FATE_COLOURS, fateOf } from "../data/results.ts";
import { useMay } from "../data/use-me.tsx";
import { Ago } from "../parts/times.tsx";
import { bots } from "../rpc/connection.ts";
import styles from "./command-line.module.css";
import { Countdown } from "./countdown.tsx";

const OPEN = new Set<CommandSummary["state"]>(["queued", "waiting", "claimed"]);

/** A row of the queue, and its fate. */
export function CommandLine({ command, withBot = false }: { command: CommandSummary; withBot?: boolean }) {
  const { id, bot, method, args, state, createdAt, createdBy, expiresAt } = command;
  const mayCancel = useMay("developer");
  return (
    <div className={styles.line} data-command={id} data-state={state}>
      <Badge color={FATE_COLOURS[state]} variant="light" w={92} flex="none">
        {state}
      </Badge>
      <div className={styles.words}>
        <Text span size="sm" fw={600}>
          {withBot && `${bot}: `}
          {method}
          {args && `(${args})`}
        </Text>{" "}
        <Text span size="sm" c={state === "failed" || state === "expired" ? undefined : "dimmed"}>
          {fateOf(command)}
          {state === "queued" && expiresAt !== undefined && <Countdown to={expiresAt} />}
        </Text>
      </div>
      <Group gap={4} wrap="nowrap" className={styles.end}>
        <Text size="xs" c="dimmed">
          {createdBy && `${createdBy}, `}
          <Ago at={createdAt} />
        </Text>
        {OPEN.has(state) && mayCancel && (
          <Tooltip label="Take it back">
            <ActionIcon
              variant="subtle"
              color="red"
              size="sm"
              aria-label={`cancel command ${id}`}
              onClick={() => void attempt("It could not be taken back", () => bots.cancelCommand({ id }))}
            >
              <IconX size={14} aria-hidden />
            </ActionIcon>
          </Tooltip>
        )}
      </Group>
    </div>
  );
}
