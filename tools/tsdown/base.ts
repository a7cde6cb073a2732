import { defineConfig, type UserConfig } from "tsdown";

/**
 * How every package is built: its doors (`src/index.ts`, and those that it names itself) to ESM and declarations in `dist/`.
 * The declarations come file by file from the sources (`isolatedDeclarations`), so the build needs no type check.
 */
export function library(overrides: UserConfig = {}): UserConfig {
  return defineConfig({
    entry: ["src/index.ts"],
    format: "esm",
    platform: "neutral",
    target: "es2023",
    dts: true,
    fixedExtension: false,
    sourcemap: false,
    clean: true,
    report: false,
    logLevel: "warn",
    // Bundling must not pull a dependency into dist: what is not a relative import stays an import.
    deps: { neverBundle: [/^[^./]/] },
    ...overrides,
  });
}
