import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { REPOSITORY_FOLDER } from "./options.ts";
import { reasonOf } from "./failure.ts";

const run = promisify(execFile);

export type InstallSize =
  | { readonly title: string; readonly kilobytes: number; readonly packageNames: readonly string[] }
  | { readonly title: string; readonly missing: string };

/** What `npm install` of each leaves in an empty folder: bytes of all files, and how many packages. */
export async function measureInstallSizes(): Promise<{ ours: InstallSize; grpc: InstallSize }> {
  return {
    ours: await sizeOf("@rpc/core + @rpc/tcp", (folder) => packOurs(folder)),
    grpc: await sizeOf("@grpc/grpc-js + @grpc/proto-loader", async () =>
      ["@grpc/grpc-js", "@grpc/proto-loader"].map(pinned),
    ),
  };
}

async function sizeOf(title: string, specsFor: (folder: string) => Promise<string[]>): Promise<InstallSize> {
  const folder = await mkdtemp(join(tmpdir(), "rpc-install-size-"));
  try {
    const specs = await specsFor(folder);
    await writeFile(join(folder, "package.json"), JSON.stringify({ name: "install-size", private: true }));
    await run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts", ...specs], {
      cwd: folder,
    });
    const lock = JSON.parse(await readFile(join(folder, "node_modules/.package-lock.json"), "utf8")) as {
      packages: Record<string, unknown>;
    };
    const packageNames = Object.keys(lock.packages).map((path) =>
      path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length),
    );
    return {
      title,
      kilobytes: (await bytesBelow(join(folder, "node_modules"))) / 1024,
      packageNames: packageNames.toSorted(),
    };
  } catch (error) {
    return { title, missing: reasonOf(`install size of ${title}`, error) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @rpc/tcp depends on @rpc/protobuf; all three come as tarballs, since none has to be published for this. */
async function packOurs(folder: string): Promise<string[]> {
  for (const name of ["core", "protobuf", "tcp"]) {
    const packageFolder = join(REPOSITORY_FOLDER, "packages", name);
    if (!existsSync(join(packageFolder, "dist"))) throw new Error(`packages/${name} is not built`);
    await run(process.execPath, [pnpmScript(), "pack", "--pack-destination", folder], { cwd: packageFolder });
  }
  return (await readdir(folder)).filter((file) => file.endsWith(".tgz")).map((file) => join(folder, file));
}

function pnpmScript(): string {
  return join(REPOSITORY_FOLDER, "node_modules/pnpm/bin/pnpm.cjs");
}

/** The version that is measured here, not the newest. */
function pinned(packageName: string): string {
  const manifest = createRequire(import.meta.url)("../package.json") as { dependencies: Record<string, string> };
  return `${packageName}@${manifest.dependencies[packageName] ?? "0"}`;
}

async function bytesBelow(folder: string): Promise<number> {
  let byteCount = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) byteCount += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return byteCount;
}
