import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Packs packages as `pnpm publish` would and returns the tarballs in the same order. They must be built already. */
export function packPackages(root: string, names: readonly string[], folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  return names.map((name) => {
    const home = join(root, "packages", name);
    const { name: full, version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8")) as {
      name: string;
      version: string;
    };
    execFileSync("pnpm", ["pack", "--pack-destination", folder], { cwd: home, stdio: ["ignore", "ignore", "pipe"] });
    return join(folder, `${full.replace("@", "").replace("/", "-")}-${version}.tgz`);
  });
}
