import { Button, Group, NumberInput, Popover, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";
import styles from "./log.module.css";
import { type LiveLog, useVersion } from "./use-log.ts";

/** How many lines there are; pressed, it leads to one of them, and makes it the page's address. */
export function LineField({ log, goTo }: { log: LiveLog; goTo: (line: number) => void }) {
  useVersion(log);
  const lines = log.windows.total;
  const [isOpen, popover] = useDisclosure(false);
  const [line, setLine] = useState<number | string>("");
  return (
    <Popover opened={isOpen} onChange={(next) => !next && popover.close()} trapFocus returnFocus withArrow>
      <Popover.Target>
        <UnstyledButton
          className={styles.lines}
          disabled={lines === 0}
          onClick={popover.toggle}
          aria-haspopup="dialog"
          aria-expanded={isOpen}
          title="Go to a line"
        >
          {lines.toLocaleString("en")} {lines === 1 ? "line" : "lines"}
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (typeof line !== "number") return;
            goTo(line - 1);
            popover.close();
          }}
        >
          <Group gap="xs" wrap="nowrap">
            <NumberInput
              size="xs"
              w={120}
              aria-label="line to go to"
              placeholder={`1 to ${lines}`}
              min={1}
              max={lines}
              clampBehavior="strict"
              allowDecimal={false}
              allowNegative={false}
              hideControls
              value={line}
              onChange={setLine}
              data-autofocus
            />
            <Button size="xs" type="submit" variant="default">
              Go
            </Button>
          </Group>
        </form>
      </Popover.Dropdown>
    </Popover>
  );
}
