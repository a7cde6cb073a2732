import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, cpus, release, totalmem, type as osType } from "node:os";
import { join } from "node:path";
import { ROSTER } from "./roster.ts";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGigabytes: number;
  readonly os: string;
  readonly node: string;
  readonly packages: Readonly<Record<string, string>>;
}

export function describeMachine(): Machine {
  const names = [...new Set(ROSTER.flatMap((entry) => entry.packages))].toSorted();
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGigabytes: Math.round(totalmem() / 1024 ** 3),
    os: `${distribution()} (${osType()} ${release()}, ${process.arch})`,
    node: process.version,
    packages: Object.fromEntries(names.map((name) => [name, versionOf(name)])),
  };
}

function distribution(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]+)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? process.platform;
  } catch {
    return process.platform;
  }
}

/** Read from the file: many packages do not export their package.json. */
function versionOf(packageName: string): string {
  for (const folder of createRequire(import.meta.url).resolve.paths(packageName) ?? []) {
    try {
      const manifest = JSON.parse(readFileSync(join(folder, packageName, "package.json"), "utf8")) as {
        version: string;
      };
      return manifest.version;
    } catch {
      continue;
    }
  }
  return "not installed";
}
