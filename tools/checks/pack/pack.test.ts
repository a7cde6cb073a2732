import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packPackages } from "../pack.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");
const TSC = join(ROOT, "node_modules/.bin/tsc");
/** What the user's own program needs: a validator, and types for `console`. Not ours to count. */
const USERS_OWN = ["zod", "@types/node", "undici-types"];

/** With one adapter, and with all of them and the commands. */
const ADAPTERS = ["core", "protobuf", "tcp", "ws", "xmlrpc", "db-queue", "zmq-mdp", "testkit", "cli"];
const OPTIONS = {
  target: "es2023",
  module: "nodenext",
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: false,
  types: ["node"],
  outDir: "out",
};

const folder = mkdtempSync(join(tmpdir(), "pack-"));
const few = join(folder, "few");
const all = join(folder, "all");

beforeAll(() => {
  const tarballs = packPackages(ROOT, ADAPTERS, join(folder, "tarballs"));
  install(few, tarballs.slice(0, 3), "greeter.ts");
  install(all, tarballs, "house.ts");
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A project of a user's own. */
function install(project: string, tarballs: readonly string[], program: string): void {
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "user", private: true, type: "module" }));
  run(project, "npm", ["install", "--no-audit", "--no-fund", ...tarballs, ...USERS_OWN.slice(0, 2).map(pinned)]);
  copyFileSync(join(import.meta.dirname, "user", program), join(project, program));
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions: OPTIONS, files: [program] }));
}

function run(project: string, program: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: project, encoding: "utf8" });
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
  const lock = JSON.parse(readFileSync(join(few, "package-lock.json"), "utf8")) as {
    packages: Record<string, unknown>;
  };
  const names = Object.keys(lock.packages).map((path) => path.split("node_modules/").at(-1) ?? "");
  return [...new Set(names)].filter((name) => name !== "" && !USERS_OWN.includes(name)).toSorted();
}

test("a user who installs @rpc/core and @rpc/tcp gets protobufjs along, and nothing else of third parties", () => {
  const protobufjs = JSON.parse(readFileSync(join(few, "node_modules/protobufjs/package.json"), "utf8")) as {
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
  expect(run(few, TSC, ["-p", "."])).toBe("");
  expect(run(few, "node", ["out/greeter.js"])).toBe("Hello Ada\nINVALID_ARGUMENT\n");
});

test("a program with all adapters compiles, calls over each of them and ends by itself; the commands start", () => {
  expect(run(all, TSC, ["-p", "."])).toBe("");
  expect(run(all, "node", ["--disable-warning=ExperimentalWarning", "out/house.js"])).toBe(
    ["ws", "xmlrpc", "mdp", "queue"].map((name) => `Hello ${name}\n`).join(""),
  );
  for (const command of ["rpc-queue", "rpc-mdp-broker", "rpc-mdp-dump"])
    expect(run(all, join(all, "node_modules/.bin", command), ["--version"])).toMatch(/^\d+\.\d+\.\d+\n$/);
});
