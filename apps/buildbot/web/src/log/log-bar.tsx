import { ActionIcon, Button, Text } from "@mantine/core";
import { IconArrowBarToDown, IconChevronDown, IconChevronUp, IconDownload } from "@tabler/icons-react";
import { memo } from "react";
import { SearchField } from "../parts/search-field.tsx";
import { LineField } from "./line-field.tsx";
import styles from "./log.module.css";
import type { LiveLog } from "./use-log.ts";
import type { LogSearch } from "./use-log-search.ts";

interface Props {
  readonly log: LiveLog;
  readonly search: LogSearch;
  readonly raw: string;
  readonly isGrowing: boolean;
  readonly isFollowing: boolean;
  readonly toEnd: () => void;
  /** From 0. */
  readonly goTo: (line: number) => void;
}

export const LogBar = memo(function LogBar({ log, search, raw, isGrowing, isFollowing, toEnd, goTo }: Props) {
  return (
    <div className={styles.bar}>
      <SearchField
        className={styles.search}
        size="xs"
        aria-label="search this log"
        placeholder="Search this log"
        value={search.text}
        onChange={(event) => search.setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") search.step(event.shiftKey ? -1 : 1);
        }}
      />
      {search.words !== "" && (
        <>
          <Text size="xs" c="dimmed" role="status">
            {search.words}
          </Text>
          <ActionIcon
            variant="default"
            aria-label="previous find"
            disabled={search.found.length === 0}
            onClick={() => search.step(-1)}
          >
            <IconChevronUp size={16} aria-hidden />
          </ActionIcon>
          <ActionIcon
            variant="default"
            aria-label="next find"
            disabled={search.found.length === 0}
            onClick={() => search.step(1)}
          >
            <IconChevronDown size={16} aria-hidden />
          </ActionIcon>
        </>
      )}
      <LineField log={log} goTo={goTo} />
      <Button
        size="xs"
        variant={isGrowing && isFollowing ? "filled" : "default"}
        aria-pressed={isGrowing ? isFollowing : undefined}
        leftSection={<IconArrowBarToDown size={14} aria-hidden />}
        onClick={toEnd}
      >
        {isGrowing ? "Follow" : "End"}
      </Button>
      <Button
        size="xs"
        variant="default"
        component="a"
        href={raw}
        target="_blank"
        leftSection={<IconDownload size={14} aria-hidden />}
      >
        Raw
      </Button>
    </div>
  );
});
