// A house that looks as one does after some days: builders of all fates, commits, files, tests.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BuildDetail } from "../src/contracts/values.ts";
import type { Site } from "./browser-rig.ts";

const COLOURS = String.raw`printf '\033[32m✓\033[0m 128 packages are there\n\033[33mwarning\033[0m: two of them are old\n\033[1;36minfo\033[0m ready in 0.4 s\n'; echo 'a line of the error output' >&2`;

const TAP = `TAP version 14
1..6
ok 1 - counts the crates
ok 2 - lifts what is heavy
not ok 3 - keeps the lamp lit
  ---
  message: "expected 'lit', got 'dark'"
  ...
ok 4 - answers within a second
ok 5 - closes the door # SKIP there is no door here
ok 6 - says good night
`;

const BUILDERS: Record<string, object> = {
  core: {
    title: "Core",
    group: "packages",
    parameters: [
      { name: "suite", label: "Suite", default: "quick", choices: ["quick", "whole"] },
      { name: "note", label: "Note", default: "" },
    ],
    schedulers: [{ kind: "change", quietSeconds: 0 }],
    steps: [
      { name: "install", command: COLOURS },
      { name: "test", command: "sed 's/^not ok/ok/' tests.tap", tests: "tap" },
      { name: "say what was asked", command: "echo the suite is ${suite}" },
      {
        name: "pack",
        command: "mkdir -p out && seq 1 5000 > out/numbers.txt && echo '<h1>report</h1>' > out/report.html",
        artefacts: ["out/*"],
      },
    ],
    properties: { suite: "quick" },
  },
  lamp: {
    title: "Lamp house",
    group: "packages",
    steps: [
      { name: "install", command: COLOURS },
      { name: "test", command: "cat tests.tap; exit 1", tests: "tap" },
      { name: "never", command: "true" },
    ],
  },
  docs: {
    title: "Documentation",
    schedulers: [{ kind: "nightly", cron: "30 3 29 2 *" }],
    steps: [
      {
        name: "links",
        command: "echo one link is broken; exit 1",
        warnOnFailure: true,
        flunkOnFailure: false,
        haltOnFailure: false,
      },
      { name: "spelling", command: "echo all is spelt well" },
    ],
  },
  long: {
    title: "Slow and steady",
    steps: [
      {
        name: "count",
        command:
          "i=0; while [ ! -e ${BUILDBOT_TEST_GATE} ]; do i=$((i+1)); echo tick $i; sleep 0.1; done; echo the gate is open",
        env: { BUILDBOT_TEST_GATE: "/nowhere" },
      },
      { name: "clean up", command: "echo cleaned", alwaysRun: true },
    ],
  },
  huge: {
    title: "A long log",
    steps: [{ name: "write", command: "seq -f 'line %.0f of the long log' 1 100000" }],
  },
  fresh: { title: "Not built yet", bots: ["elsewhere-*"], steps: [{ name: "build", command: "true" }] },
};

/** With a gate: the build of `long` runs until it is opened. */
export function buildersWithGate(site: Site, name = "gate"): { builders: Record<string, object>; open: () => void } {
  const gate = join(site.folder, name);
  const text = JSON.stringify(BUILDERS).replaceAll("${BUILDBOT_TEST_GATE}", gate);
  return {
    builders: JSON.parse(text) as Record<string, object>,
    open: () => writeFileSync(gate, ""),
  };
}

const SUBJECTS = [
  "Count the crates twice, so that none is lost",
  "Let the lamp burn through the night, and say in its log when the oil was changed and by whom, though nobody asked",
  "Mend the door",
];

/** Commits that a bot has found, and a build of each builder but `long` and `fresh`. */
export async function fill(site: Site, bot: string): Promise<Record<string, BuildDetail>> {
  site.repository.commit("Begin", { "tests.tap": TAP });
  await site.poll(bot);
  for (const [index, subject] of SUBJECTS.entries())
    site.repository.commit(subject, { [`file-${index}.txt`]: subject });
  await site.poll(bot);
  const names = ["core", "lamp", "docs", "huge"];
  const requests = await Promise.all(names.map((name) => site.force(name, "a look at it")));
  const builds = await Promise.all(requests.map((request) => site.ended(request)));
  return Object.fromEntries(builds.map((build) => [build.builder, build]));
}
