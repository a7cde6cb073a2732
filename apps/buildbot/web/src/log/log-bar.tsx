import { ActionIcon, Button, Text } from "@mantine/core";
import { IconArrowBarToDown, IconChevronDown, IconChevronUp, IconDownload } from "@tabler/icons-react";
import { SearchField } from "../parts/search-field.tsx";
import styles from "./log.module.css";
import type { LogSearch } from "./use-log-search.ts";

interface Props {
  readonly search: LogSearch;
  readonly raw: string;
  readonly lines: number;
  readonly isGrowing: boolean;
  readonly isFollowing: boolean;
  readonly toEnd: () => void;
}

export function LogBar({ search, raw, lines, isGrowing, isFollowing, toEnd }: Props) {
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
      <Text size="xs" c="dimmed" ml="auto">
        {lines.toLocaleString("en")} {lines === 1 ? "line" : "lines"}
      </Text>
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
}
