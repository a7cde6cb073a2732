import { Alert, Badge, Tabs, Text } from "@mantine/core";
import { useLocation, useSearchParams } from "wouter";
import type { BuildDetail } from "../../../src/contracts/values.ts";
import { ArtefactsTab } from "../build/artefacts-tab.tsx";
import { BuildButtons } from "../build/build-buttons.tsx";
import { BuildHead } from "../build/build-head.tsx";
import { PropertiesTab } from "../build/properties-tab.tsx";
import { StepList } from "../build/step-list.tsx";
import styles from "../build/step-list.module.css";
import { TestsTab } from "../build/tests-tab.tsx";
import { stepOfInterest, useBuild } from "../build/use-build.ts";
import { LogView } from "../log/log-view.tsx";
import { builderPath, buildPath, To } from "../parts/link.tsx";
import { Page } from "../parts/page.tsx";
import { Shown } from "../parts/states.tsx";

const TABS = ["log", "tests", "artefacts", "properties"];

export function BuildPage({ id }: { id: number }) {
  return Number.isSafeInteger(id) && id > 0 ? <KnownBuild id={id} /> : <NoBuild />;
}

function NoBuild() {
  return (
    <Page title="No such build">
      <Alert color="orange">Builds have numbers.</Alert>
    </Page>
  );
}

function KnownBuild({ id }: { id: number }) {
  const loaded = useBuild(id);
  const build = loaded.value;
  const title = build ? `${build.builder} #${build.number}` : `Build ${id}`;
  const head = build && (
    <>
      <To href={builderPath(build.builder)} inherit>
        {build.builder}
      </To>{" "}
      #{build.number}
    </>
  );
  return (
    <Page title={title} head={head} tools={build && <BuildButtons build={build} />}>
      <Shown of={loaded}>
        {(detail) => (
          <>
            <BuildHead build={detail} />
            <BuildTabs build={detail} />
          </>
        )}
      </Shown>
    </Page>
  );
}

function BuildTabs({ build }: { build: BuildDetail }) {
  const [params] = useSearchParams();
  const [, go] = useLocation();
  const tab = TABS.find((one) => one === params.get("tab")) ?? "log";
  const { pass, fail, error, skip } = build.tests;
  const bad = fail + error;
  return (
    <Tabs
      value={tab}
      keepMounted={false}
      onChange={(next) => go(`${buildPath(build.id)}${next === "log" ? "" : `?tab=${next}`}`)}
    >
      <Tabs.List mb="sm" className={styles.tabs}>
        <Tabs.Tab value="log">Log</Tabs.Tab>
        <Tabs.Tab
          value="tests"
          rightSection={<Count of={bad > 0 ? bad : pass + skip} color={bad > 0 ? "red" : "gray"} />}
        >
          Tests
        </Tabs.Tab>
        <Tabs.Tab value="artefacts" rightSection={<Count of={build.artefacts.length} color="gray" />}>
          Artefacts
        </Tabs.Tab>
        <Tabs.Tab value="properties">Properties</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="log">
        <StepsAndLog build={build} wanted={params.get("step")} />
      </Tabs.Panel>
      <Tabs.Panel value="tests">
        <TestsTab build={build} />
      </Tabs.Panel>
      <Tabs.Panel value="artefacts">
        <ArtefactsTab build={build.id} artefacts={build.artefacts} />
      </Tabs.Panel>
      <Tabs.Panel value="properties">
        <PropertiesTab properties={build.properties} />
      </Tabs.Panel>
    </Tabs>
  );
}

function Count({ of, color }: { of: number; color: string }) {
  if (of === 0) return undefined;
  return (
    <Badge size="sm" variant="light" color={color} flex="none">
      {of}
    </Badge>
  );
}

function StepsAndLog({ build, wanted }: { build: BuildDetail; wanted: string | null }) {
  const seq = wanted === null ? stepOfInterest(build) : Number(wanted);
  const step = build.steps.find((one) => one.seq === seq);
  return (
    <div className={styles.columns}>
      <StepList steps={build.steps} chosen={seq} pathOf={(one) => `${buildPath(build.id)}?step=${one}`} />
      {step === undefined || step.state === "waiting" ? (
        <Text c="dimmed" p="md">
          {step === undefined ? "It has no such step." : "This step has not begun."}
        </Text>
      ) : (
        <LogView key={`${build.id} ${seq}`} build={build.id} step={seq} />
      )}
    </div>
  );
}
