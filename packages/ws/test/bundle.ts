import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "tsdown";

/** One module for a browser, with everything that it needs, from the packages as they are built. */
export async function bundleForBrowser(file: string, globalName?: string): Promise<string> {
  const outDir = await mkdtemp(join(tmpdir(), "rpc-ws-bundle-"));
  try {
    await build({
      config: false,
      entry: { page: new URL(`browser/${file}`, import.meta.url).pathname },
      outDir,
      platform: "browser",
      target: "es2023",
      format: globalName === undefined ? "esm" : "iife",
      ...(globalName === undefined ? {} : { globalName }),
      minify: true,
      dts: false,
      deps: { alwaysBundle: [/./] },
      logLevel: "error",
      report: false,
      outputOptions: { entryFileNames: "page.js" },
    });
    return await readFile(join(outDir, "page.js"), "utf8");
  } finally {
    await rm(outDir, { recursive: true, force: true });
  }
}

export function gzippedBytes(code: string): number {
  return gzipSync(code, { level: 9 }).length;
}
