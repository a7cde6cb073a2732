import { stringify } from "yaml";
import type { Source } from "./repositories.ts";

const EACH_PACKAGE =
  'for package in core testkit protobuf; do ln -s "$CHECKOUT/packages/$package/node_modules" packages/$package/node_modules; done';

/** What the demo builds: the bundled sample, and of this very checkout one package. */
export function demoConfiguration(sample: Source, checkout: Source | undefined): string {
  const change = { kind: "change", quietSeconds: 0 };
  const configuration = {
    repositories: {
      sample: { url: sample.url, branches: [sample.branch], pollSeconds: 5 },
      ...(checkout !== undefined && { checkout: { url: checkout.url, branches: [checkout.branch], pollSeconds: 10 } }),
    },
    builders: {
      sample: {
        title: "The bundled sample",
        repository: "sample",
        branch: sample.branch,
        schedulers: [change],
        steps: [{ name: "test", command: ["node", "--test", "--test-reporter=tap"], tests: "tap" }],
      },
      ...(checkout !== undefined && {
        protobuf: {
          title: "packages/protobuf of this checkout",
          repository: "checkout",
          branch: checkout.branch,
          schedulers: [change],
          // Dependencies are not installed again for each build: those of the checkout are linked into the work tree.
          env: { CHECKOUT: "${CHECKOUT}", NO_COLOR: "1" },
          steps: [
            { name: "dependencies", command: `ln -s "$CHECKOUT/node_modules" node_modules\n${EACH_PACKAGE}` },
            { name: "build", command: ["../../node_modules/.bin/tsdown"], workdir: "packages/protobuf" },
            {
              name: "test",
              command: ["../../node_modules/.bin/vitest", "run", "test/reader.test.ts", "test/writer.test.ts"],
              workdir: "packages/protobuf",
              tests: "vitest",
              report: "packages/protobuf/.results/vitest.json",
            },
          ],
        },
      }),
    },
  };
  // People read it: what stands there twice is written twice.
  return stringify(configuration, { aliasDuplicateObjects: false });
}
