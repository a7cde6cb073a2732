import { defineConfig, type ViteUserConfig } from "vitest/config";

type TestOptions = NonNullable<ViteUserConfig["test"]>;

/** How every package is tested. The JSON results are what `npm test` and CI count from. */
export function suite(overrides: TestOptions = {}, results = "vitest"): ViteUserConfig {
  return defineConfig({
    test: {
      include: ["test/**/*.test.ts"],
      passWithNoTests: true,
      reporters: ["default", ["json", { outputFile: `.results/${results}.json` }]],
      pool: "forks",
      // For what hangs. How long a thing takes is for the benchmarks: the machine may have others to run.
      testTimeout: 60_000,
      hookTimeout: 60_000,
      allowOnly: false,
      ...overrides,
    },
  });
}
