import { NativeSelect, SegmentedControl } from "@mantine/core";
import { useState } from "react";
import { useLocation, useSearchParams } from "wouter";
import { useBuilders } from "../data/use-builders.ts";
import { useBuilds } from "../data/use-builds.ts";
import { RevisionTable } from "../grid/revision-table.tsx";
import { WaterfallChart } from "../grid/waterfall-chart.tsx";
import { To } from "../parts/link.tsx";
import { Page } from "../parts/page.tsx";
import { Nothing, Shown } from "../parts/states.tsx";

const LIMIT = 300;
/** By time: more of them would be a very long way down. */
const LIMIT_BY_TIME = 100;
const VIEWS = [
  { value: "revision", label: "By revision" },
  { value: "time", label: "By time" },
];

/** What all builders have made lately: of which revision, or when. */
export function GridPage() {
  const [branch, setBranch] = useState("");
  const [params] = useSearchParams();
  const [, go] = useLocation();
  const isByTime = params.get("by") === "time";
  const builders = useBuilders();
  const builds = useBuilds({ branch: branch || undefined, limit: isByTime ? LIMIT_BY_TIME : LIMIT });
  const branches = [...new Set((builders.value ?? []).map((one) => one.branch).concat(branch || []))].sort();
  const tools = (
    <>
      <SegmentedControl
        aria-label="view"
        data={VIEWS}
        value={isByTime ? "time" : "revision"}
        onChange={(value) => go(value === "time" ? "/grid?by=time" : "/grid")}
      />
      <NativeSelect
        aria-label="branch"
        data={[{ value: "", label: "all branches" }, ...branches]}
        value={branch}
        onChange={(event) => setBranch(event.currentTarget.value)}
      />
    </>
  );
  return (
    <Page title="Grid" tools={tools}>
      <Shown of={builds}>
        {(list) => {
          if (list.length === 0)
            return (
              <Nothing>
                Nothing has been built yet. <To href="/builders">Choose a builder</To> and let it build.
              </Nothing>
            );
          const built = new Set(list.map(({ builder }) => builder));
          // In the order of the configuration; those that are no longer in it last.
          const known = (builders.value ?? []).map(({ name }) => name).filter((name) => built.has(name));
          const names = [...new Set([...known, ...built])];
          return isByTime ? (
            <WaterfallChart builds={list} names={names} />
          ) : (
            <RevisionTable builds={list} names={names} />
          );
        }}
      </Shown>
    </Page>
  );
}
