import { readFileSync } from "node:fs";

/** The package's version. Its manifest is one folder above this file, and above what is built of it. */
export function version(): string {
  const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    readonly version: string;
  };
  return manifest.version;
}
