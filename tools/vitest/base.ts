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
      testTimeout: 15_000,
      hookTimeout: 15_000,
      allowOnly: false,
      ...overrides,
    },
  });
}
