import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packPackages } from "../pack.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");
/** What the user's own program needs: a validator, and types for `console`. Not ours to count. */
const USERS_OWN = ["zod", "@types/node", "undici-types"];

const folder = mkdtempSync(join(tmpdir(), "pack-"));

beforeAll(() => {
  const tarballs = packPackages(ROOT, ["core", "protobuf", "tcp"], join(folder, "tarballs"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "user", private: true, type: "module" }));
  run("npm", ["install", "--no-audit", "--no-fund", ...tarballs, ...USERS_OWN.slice(0, 2).map(pinned)]);
  copyFileSync(join(import.meta.dirname, "user", "greeter.ts"), join(folder, "greeter.ts"));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(program: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} failed:\n${stdout}${stderr}`);
  return stdout;
}

/** The user's own packages at the versions of this repository's catalog. */
function pinned(name: string): string {
  const catalog = readFileSync(join(ROOT, "pnpm-workspace.yaml"), "utf8");
  const version = new RegExp(`^  "?${name}"?: (\\S+)$`, "m").exec(catalog)?.[1];
  if (version === undefined) throw new Error(`${name} stands in no catalog of pnpm-workspace.yaml`);
  return `${name}@${version}`;
}

function installedPackages(): string[] {
  const lock = JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8")) as {
    packages: Record<string, unknown>;
  };
  const names = Object.keys(lock.packages).map((path) => path.split("node_modules/").at(-1) ?? "");
  return [...new Set(names)].filter((name) => name !== "" && !USERS_OWN.includes(name)).toSorted();
}

test("a user who installs @rpc/core and @rpc/tcp gets protobufjs along, and nothing else of third parties", () => {
  const protobufjs = JSON.parse(readFileSync(join(folder, "node_modules/protobufjs/package.json"), "utf8")) as {
    dependencies?: Record<string, string>;
  };
  const expected = [
    "@rpc/core",
    "@rpc/protobuf",
    "@rpc/tcp",
    "protobufjs",
    ...Object.keys(protobufjs.dependencies ?? {}),
  ];
  expect(installedPackages()).toEqual(expected.toSorted());
});

test("a strict TypeScript program compiles against the installed packages and their declarations, calls over TCP and ends by itself", () => {
  const compilerOptions = {
    target: "es2023",
    module: "nodenext",
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    types: ["node"],
    outDir: "out",
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["greeter.ts"] }));
  expect(run(join(ROOT, "node_modules/.bin/tsc"), ["-p", "."])).toBe("");
  expect(run("node", ["out/greeter.js"])).toBe("Hello Ada\nINVALID_ARGUMENT\n");
});
