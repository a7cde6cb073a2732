import { Text } from "@mantine/core";
import { useEffect, useRef } from "react";
import { Link } from "wouter";
import type { BuildStep } from "../../../src/contracts/values.ts";
import { standingOf } from "../data/results.ts";
import { StandingIcon } from "../parts/standing.tsx";
import { Elapsed } from "../parts/times.tsx";
import styles from "./step-list.module.css";

export function StepList({
  steps,
  chosen,
  pathOf,
}: {
  steps: readonly BuildStep[];
  chosen: number;
  pathOf: (seq: number) => string;
}) {
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    const all = list.current;
    const one = all?.querySelector<HTMLElement>("[aria-current]");
    // Where the list itself scrolls: the page stays where it is.
    if (all && one) all.scrollTop = one.offsetTop - all.offsetTop - all.clientHeight / 2 + one.offsetHeight / 2;
  }, [chosen]);
  return (
    <ol className={styles.steps} aria-label="steps" ref={list}>
      {steps.map((step) => (
        <li key={step.seq}>
          <Link href={pathOf(step.seq)} className={styles.step} aria-current={step.seq === chosen ? "step" : undefined}>
            <StandingIcon standing={standingOf(step)} />
            <span className={styles.words}>
              <Text span size="sm" fw={step.seq === chosen ? 700 : 500} truncate display="block">
                {step.name}
              </Text>
              {step.summary && (
                <Text span size="xs" c="dimmed" display="block">
                  {step.summary}
                </Text>
              )}
            </span>
            {step.startedAt !== undefined && (
              <Text span size="xs" c="dimmed" style={{ whiteSpace: "nowrap" }}>
                <Elapsed
                  from={step.startedAt}
                  to={step.finishedAt ?? (step.state === "running" ? undefined : step.startedAt)}
                />
              </Text>
            )}
          </Link>
        </li>
      ))}
    </ol>
  );
}
