// The one door to every root command: `npm run demo`, `npm test`, `npm run check`, ... (see COMMANDS below).
// Plain JavaScript without dependencies, because it runs before anything is installed, on the Node that the machine has.
import { installed, PNPM } from "./install.mjs";
import { clearResults, failedCount, printSummary, writeResult } from "./results.mjs";
import { run, runQuietly, say, turbo } from "./steps.mjs";

/** Turbo's own fetch of its generator asks for a version that the registry does not have. */
const TURBO_GENERATOR = "@turbo/gen@2.11.9";
const PACKAGES = "--filter=./packages/*";
/** The application and what it uses. */
const BUILD_BOT = "--filter=@rpc/buildbot...";
const DEMO = "apps/buildbot/demo/main.ts";
/** One broken package does not hide what is wrong with the others. */
const GO_ON = "--continue=dependencies-successful";

const COMMANDS = {
  async demo(args) {
    await installed("base");
    await mustPass("build", turbo("build", [BUILD_BOT]));
    // `--check` is the same run for machines: nothing waits for a person, and the exit code tells.
    return run("node", [DEMO, ...args]);
  },

  async test(args) {
    await installed("base");
    await mustPass("build", turbo("build", [PACKAGES]));
    clearResults();
    await runTests(args);
    return printSummary();
  },

  async check() {
    await installed("all");
    clearResults();
    await checkOne("build", turbo("build", [GO_ON]));
    await runTests([]);
    await checkOne("typecheck", turbo("typecheck", [GO_ON]));
    // Thirty seconds of two processes whose connections come to harm.
    await checkOne("soak", ["node", ["tools/soak/main.ts"]]);
    await checkOne("demo", ["node", [DEMO, "--check"]]);
    // These write results of their own, one for each of their parts.
    await checkParts("lint", turbo("lint"));
    await checkParts("examples", turbo("examples"));
    await checkParts("pack-test", turbo("pack-test"));
    return printSummary();
  },

  async build(args) {
    await installed("base");
    return runQuietly("build", turbo("build", args));
  },

  async typecheck(args) {
    await installed("all");
    return runQuietly("typecheck", turbo("typecheck", [GO_ON, ...args]));
  },

  async lint(args) {
    await installed("all");
    await mustPass("build", turbo("build", [PACKAGES]));
    return run("node", ["tools/checks/lint.ts", ...args]);
  },

  async format(args) {
    await installed("base");
    return run("oxfmt", args);
  },

  async examples(args) {
    await installed("base");
    await mustPass("build", turbo("build", [PACKAGES]));
    return run("node", ["examples/run.ts", ...args]);
  },

  async "pack-test"(args) {
    await installed("base");
    return run(...turbo("pack-test", args));
  },

  async bench(args) {
    await installed("all");
    await mustPass("build", turbo("build", [PACKAGES]));
    return run("node", ["tools/bench/main.ts", ...args]);
  },

  async soak(args) {
    await installed("base");
    await mustPass("build", turbo("build", [PACKAGES]));
    return run("node", ["tools/soak/main.ts", ...args]);
  },

  async generate(args) {
    await installed("base");
    return run("npx", ["--yes", TURBO_GENERATOR, "run", "package", ...args]);
  },

  pnpm: (args) => run("npx", ["--yes", PNPM, ...args]),
};

/** Three packages at a time: each runs one file after the other, and waits for its sockets, disks and processes a good part of the time. */
async function runTests(args) {
  const code = await runQuietly("test", turbo("test", ["--concurrency=3", "--continue=always", ...args]));
  if (code !== 0 && failedCount() === 0) writeResult("test run", { failed: 1 });
}

async function checkOne(name, command) {
  const code = await runQuietly(name, command);
  writeResult(name, code === 0 ? { passed: 1 } : { failed: 1 });
}

async function checkParts(name, command) {
  const before = failedCount();
  const code = await runQuietly(name, command);
  if (code !== 0 && failedCount() === before) writeResult(name, { failed: 1 });
}

async function mustPass(name, command) {
  const code = await runQuietly(name, command);
  if (code !== 0) process.exit(code);
}

const [name = "", ...args] = process.argv.slice(2);
if (Object.hasOwn(COMMANDS, name)) process.exitCode = await COMMANDS[name](args);
else {
  say(`unknown command "${name}"; there are: ${Object.keys(COMMANDS).join(", ")}`);
  process.exitCode = 2;
}
