import { defineConfig, mergeConfig, type ViteUserConfig } from "vitest/config";

/** How every package is tested. The JSON results are what `npm test` and CI count from. */
export function suite(overrides: ViteUserConfig = {}): ViteUserConfig {
  const base = defineConfig({
    test: {
      include: ["test/**/*.test.ts"],
      passWithNoTests: true,
      reporters: ["default", ["json", { outputFile: ".results/vitest.json" }]],
      pool: "forks",
      testTimeout: 15_000,
      hookTimeout: 15_000,
      allowOnly: false,
      expect: { requireAssertions: false },
    },
  });
  return mergeConfig(base, overrides) as ViteUserConfig;
}
