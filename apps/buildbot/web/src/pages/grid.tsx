import { NativeSelect, Text } from "@mantine/core";
import { useState } from "react";
import { Link } from "wouter";
import { byRevision } from "../data/by-revision.ts";
import { standingOf } from "../data/results.ts";
import { useBuilders } from "../data/use-builders.ts";
import { useBuilds } from "../data/use-builds.ts";
import { builderPath, buildPath, personName, shortRevision, To } from "../parts/link.tsx";
import { Page } from "../parts/page.tsx";
import { StandingIcon } from "../parts/standing.tsx";
import { Nothing, Shown } from "../parts/states.tsx";
import { Ago } from "../parts/times.tsx";
import styles from "./grid.module.css";

const LIMIT = 300;

/** Builders across, revisions down: what each made of each. */
export function GridPage() {
  const [branch, setBranch] = useState("");
  const builders = useBuilders();
  const builds = useBuilds({ branch: branch || undefined, limit: LIMIT });
  const branches = [...new Set((builders.value ?? []).map((one) => one.branch).concat(branch || []))].sort();
  const choice = (
    <NativeSelect
      aria-label="branch"
      data={[{ value: "", label: "all branches" }, ...branches]}
      value={branch}
      onChange={(event) => setBranch(event.currentTarget.value)}
    />
  );
  return (
    <Page title="Grid" tools={choice}>
      <Shown of={builds}>
        {(list) => {
          const rows = byRevision(list);
          const built = new Set(list.map(({ builder }) => builder));
          const names = [
            ...new Set([...(builders.value ?? []).map(({ name }) => name).filter((name) => built.has(name)), ...built]),
          ];
          if (rows.length === 0)
            return (
              <Nothing>
                Nothing has been built yet. <To href="/builders">Choose a builder</To> and let it build.
              </Nothing>
            );
          return (
            <div className={styles.scroll} tabIndex={0} role="region" aria-label="builds by revision and builder">
              <table className={styles.grid}>
                <thead>
                  <tr>
                    <th scope="col">Revision</th>
                    {names.map((name) => (
                      <th key={name} scope="col">
                        <To href={builderPath(name)} size="sm">
                          {name}
                        </To>
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {rows.map(({ revision, newest, cells }) => (
                    <tr key={revision}>
                      <th scope="row">
                        <Text size="sm" truncate maw={320} title={newest.subject}>
                          {newest.subject || "not known yet"}
                        </Text>
                        <Text size="xs" c="dimmed" fw={400} truncate maw={320}>
                          {shortRevision(revision)} {newest.author && `· ${personName(newest.author)}`} ·{" "}
                          <Ago at={newest.startedAt} />
                        </Text>
                      </th>
                      {names.map((name) => (
                        <td key={name}>
                          {(cells.get(name) ?? []).map((build) => (
                            <Link key={build.id} href={buildPath(build.id)} className={styles.cell}>
                              <StandingIcon
                                standing={standingOf(build)}
                                size={26}
                                label={`${name} #${build.number}: ${standingOf(build)}`}
                              />
                            </Link>
                          ))}
                        </td>
                      ))}
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          );
        }}
      </Shown>
    </Page>
  );
}
