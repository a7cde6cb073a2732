// Brings pnpm, Node 24 and all packages, when the lockfile or a manifest changed since the last time.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { captured, environment, nodeFolder, ROOT, say, workspaceFolders } from "./steps.mjs";

export const PNPM = "pnpm@10.34.9";
const STAMP = join(ROOT, "node_modules", ".setup.json");
/** What only `bench` and `check` need: the libraries that we measure ourselves against. */
const HEAVY = ["./tools/bench"];

const ADVICE = [
  [
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|META_FETCH_FAIL|ERR_PNPM_FETCH|ERR_SOCKET_TIMEOUT|ERR_PNPM_NO_OFFLINE/,
    "The package registry cannot be reached. Check the network (or the proxy settings of npm) and run the command again; what was fetched is kept.",
  ],
  [
    /OUTDATED_LOCKFILE|LOCKFILE_CONFIG_MISMATCH|FROZEN_LOCKFILE/,
    "A package.json and pnpm-lock.yaml disagree. Run `npm run pnpm -- install` and commit the changed pnpm-lock.yaml.",
  ],
  [/ENOSPC/, "The disk is full. The installation needs about 700 MB."],
  [/EACCES|EPERM/, "A file cannot be written. Look who owns node_modules; deleting it is safe."],
];

/** Makes sure that `node_modules` fits the checkout. `base` is what a newcomer needs, `all` is everything. */
export async function installed(extent) {
  const wanted = fingerprint();
  const stamp = readStamp();
  if (stamp.all === wanted || (extent === "base" && stamp.base === wanted)) return;
  say(`install: packages and Node 24 ${stamp.base ? "(the lockfile changed)" : "(first run, about a minute)"}`);
  const filter =
    extent === "base"
      ? HEAVY.filter((folder) => existsSync(join(ROOT, folder))).map((folder) => `--filter=!${folder}`)
      : [];
  const args = ["--yes", PNPM, "install", "--frozen-lockfile", "--reporter=append-only", ...filter];
  const { code, output, seconds } = await captured("install", "npx", args, installEnvironment());
  if (code === 0) {
    mustHaveNode();
    say(`install: done in ${seconds} s`);
    mkdirSync(join(ROOT, "node_modules"), { recursive: true });
    writeFileSync(STAMP, JSON.stringify(extent === "all" ? { base: wanted, all: wanted } : { base: wanted }));
    return;
  }
  say(output.trim().split("\n").slice(-12).join("\n"));
  say(
    `\ninstall: failed after ${seconds} s. ${ADVICE.find(([pattern]) => pattern.test(output))?.[1] ?? "The lines above tell why; deleting node_modules and running the command again is safe."}`,
  );
  process.exit(1);
}

/** Without a network the answer should come within seconds, not after the minute that npm would try by itself. */
function installEnvironment() {
  const patience = { npm_config_fetch_retry_mintimeout: "1000", npm_config_fetch_retry_maxtimeout: "5000" };
  return { ...environment(), ...patience, CI: "true", npm_config_yes: "true" };
}

/** Where the registry has no Node 24 for this platform (macOS), the machine's own must be able to run TypeScript sources. */
function mustHaveNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (nodeFolder() !== undefined || major > 22 || (major === 22 && minor >= 18)) return;
  say(
    `install: no Node 24 package exists for ${process.platform} ${process.arch}, and this Node is ${process.versions.node}. Install Node 24 and run the command again.`,
  );
  process.exit(1);
}

function readStamp() {
  try {
    return JSON.parse(readFileSync(STAMP, "utf8"));
  } catch {
    return {};
  }
}

function fingerprint() {
  const hash = createHash("sha256").update(`${process.platform} ${process.arch}`);
  const manifests = workspaceFolders().map((folder) => `${folder}/package.json`);
  for (const file of ["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml", ...manifests]) {
    if (existsSync(join(ROOT, file))) hash.update(file).update(readFileSync(join(ROOT, file)));
  }
  return hash.digest("hex");
}
