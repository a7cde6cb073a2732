import { Button, Group, NativeSelect, Stack, Text } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import type { BuildDetail, TestResult } from "../../../src/contracts/values.ts";
import { attempt } from "../data/notices.ts";
import { useLoaded } from "../data/use-loaded.ts";
import { SearchField } from "../parts/search-field.tsx";
import { Nothing, Shown } from "../parts/states.tsx";
import { builds } from "../rpc/connection.ts";
import { TestRow } from "./test-row.tsx";

const LIMIT = 100;

export function TestsTab({ build }: { build: BuildDetail }) {
  const { pass, fail, error, skip } = build.tests;
  const [state, setState] = useState(fail > 0 ? "fail" : error > 0 ? "error" : "");
  const [search, setSearch] = useState("");
  const [wanted] = useDebouncedValue(search, 250);
  const filter = {
    build: build.id,
    limit: LIMIT,
    ...(state !== "" && { state: state as TestResult["state"] }),
    ...(wanted !== "" && { search: wanted }),
  };
  // While it runs, more come: the counts say when.
  const tests = useLoaded(`tests ${JSON.stringify([filter, build.tests])}`, (signal) =>
    builds.tests(filter, { signal }),
  );
  const more = async (): Promise<void> => {
    const older = await attempt("More tests", () =>
      builds.tests({ ...filter, offset: tests.value?.tests.length ?? 0 }),
    );
    if (older) tests.set((before) => ({ ...older, tests: [...before.tests, ...older.tests] }));
  };
  if (pass + fail + error + skip === 0) return <Nothing>No step of it told of tests.</Nothing>;
  return (
    <Stack gap="sm">
      <Group gap="xs">
        <NativeSelect
          aria-label="state"
          value={state}
          onChange={(event) => setState(event.currentTarget.value)}
          data={[
            { value: "", label: `all ${pass + fail + error + skip}` },
            { value: "fail", label: `${fail} failed` },
            { value: "error", label: `${error} with errors` },
            { value: "skip", label: `${skip} skipped` },
            { value: "pass", label: `${pass} passed` },
          ]}
        />
        <SearchField
          flex="1 1 200px"
          maw={400}
          aria-label="search tests"
          placeholder="Suite or name"
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
      </Group>
      <Shown of={tests}>
        {({ total, tests: list }) =>
          list.length === 0 ? (
            <Nothing>No test is like that.</Nothing>
          ) : (
            <Stack gap={0}>
              {list.map((test) => (
                <TestRow key={`${test.step} ${test.suite} ${test.name}`} builder={build.builder} test={test} />
              ))}
              <Text size="xs" c="dimmed" py="xs">
                {list.length} of {total}
              </Text>
              {list.length < total && (
                <Button variant="default" onClick={() => void more()}>
                  More
                </Button>
              )}
            </Stack>
          )
        }
      </Shown>
    </Stack>
  );
}
