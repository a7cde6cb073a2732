import { Code, Group, Stack, Text, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Link } from "wouter";
import type { TestResult } from "../../../src/contracts/values.ts";
import type { Standing } from "../data/results.ts";
import { durationWords } from "../data/time-words.ts";
import { useLoaded } from "../data/use-loaded.ts";
import { spansOf } from "../log/ansi.ts";
import { buildPath } from "../parts/link.tsx";
import { StandingIcon } from "../parts/standing.tsx";
import { Shown } from "../parts/states.tsx";
import { builds } from "../rpc/connection.ts";

const STANDINGS: Readonly<Record<TestResult["state"], Standing>> = {
  pass: "success",
  fail: "failure",
  error: "exception",
  skip: "skipped",
};

export function TestRow({ builder, test }: { builder: string; test: TestResult }) {
  const [isOpen, more] = useDisclosure(false);
  return (
    <Stack gap={4} py={4}>
      <UnstyledButton onClick={more.toggle} aria-expanded={isOpen}>
        <Group gap="xs" wrap="nowrap" align="flex-start">
          <StandingIcon standing={STANDINGS[test.state]} label={test.state} />
          <Text size="sm" flex={1} miw={0}>
            {test.suite && (
              <Text span c="dimmed">
                {test.suite} ›{" "}
              </Text>
            )}
            {test.name}
          </Text>
          {test.durationMs !== undefined && (
            <Text size="xs" c="dimmed" style={{ whiteSpace: "nowrap" }}>
              {durationWords(test.durationMs)}
            </Text>
          )}
        </Group>
      </UnstyledButton>
      {isOpen && (
        <Stack gap="xs" pl={32}>
          {test.message && (
            <Code block style={{ whiteSpace: "pre-wrap", maxHeight: 400, overflow: "auto" }}>
              {withoutColours(test.message)}
            </Code>
          )}
          <TestHistory builder={builder} test={test} />
        </Stack>
      )}
    </Stack>
  );
}

function TestHistory({ builder, test: { suite, name } }: { builder: string; test: TestResult }) {
  const history = useLoaded(`history ${JSON.stringify([builder, suite, name])}`, (signal) =>
    builds.testHistory({ builder, suite, name, limit: 40 }, { signal }),
  );
  return (
    <Shown of={history}>
      {(results) => (
        <Group gap={4} role="list" aria-label="history, newest first">
          <Text span size="xs" c="dimmed" role="presentation">
            newest first
          </Text>
          {results.map(({ state, build, durationMs }) => (
            <span key={build.id} role="listitem">
              <Link href={`${buildPath(build.id)}?tab=tests`}>
                <StandingIcon
                  standing={STANDINGS[state]}
                  label={`#${build.number} ${state}${durationMs === undefined ? "" : `, ${durationWords(durationMs)}`}`}
                />
              </Link>
            </span>
          ))}
        </Group>
      )}
    </Shown>
  );
}

function withoutColours(message: string): string {
  const lines = message.split("\n").map((line) => spansOf(line).map(({ text }) => text));
  return lines.map((texts) => texts.join("")).join("\n");
}
