// The one door to every root command: `npm run demo`, `npm test`, `npm run check`, ... (see COMMANDS below).
// Plain JavaScript without dependencies, because it runs before anything is installed, on the Node that the machine has.
import { installed } from "./install.mjs";
import { say, run, runQuietly, turbo } from "./steps.mjs";
import { clearResults, printSummary, readResults, writeResult } from "./results.mjs";

const PACKAGES = "--filter=./packages/*";

const COMMANDS = {
  async demo(args) {
    // `--check` is the same run for machines: nothing waits for a person, and the exit code tells.
    await installed("base");
    await mustPass("build", turbo(["build", PACKAGES]));
    return run("node", ["examples/run.ts", ...args]);
  },

  async test(args) {
    await installed("base");
    await mustPass("build", turbo(["build", PACKAGES]));
    await clearResults();
    const code = await tests(args);
    return printSummary(await readResults(), code);
  },

  async check() {
    await installed("all");
    await clearResults();
    await check("build", turbo(["build"]));
    await tests([]);
    await check("typecheck", turbo(["typecheck", "--continue=dependencies-successful"]));
    // Lint, examples and the pack test write their own results, one for each of their parts.
    await counted("lint", turbo(["lint"]));
    await counted("examples", turbo(["examples"]));
    await counted("pack-test", turbo(["pack-test"]));
    return printSummary(await readResults(), 0);
  },

  build: (args) => task("build", args),
  typecheck: (args) => task("typecheck", ["--continue=dependencies-successful", ...args]),
  lint: async (args) => (
    await installed("all"),
    await mustPass("build", turbo(["build"])),
    run("node", ["tools/checks/lint.ts", ...args])
  ),
  format: async (args) => (await installed("base"), run("oxfmt", args)),
  examples: async (args) => COMMANDS.demo(args),
  "pack-test": (args) => task("pack-test", args, "full"),
  bench: (args) => task("bench", args, "full"),
  generate: async (args) => (await installed("base"), run("turbo", ["generate", "package", ...args])),
  pnpm: async (args) => (await installed("base", { optional: true }), run("pnpm", args)),
};

async function task(name, args, logs) {
  await installed(name === "bench" ? "all" : "base");
  // Arguments after `--` belong to the task's own program, as in `npm run bench -- -- --quick`.
  return runQuietly(name, turbo([name, ...args], logs), logs === "full");
}

/** Runs every package's tests one package after the other: socket tests that share two cores with a compiler fail for its sake. */
async function tests(args) {
  const code = await runQuietly("test", turbo(["test", "--concurrency=1", "--continue=always", ...args]));
  if (code !== 0) await writeResult("test run", { failed: (await readResults()).some((r) => r.failed > 0) ? 0 : 1 });
  return code;
}

async function check(name, command) {
  const code = await runQuietly(name, command);
  await writeResult(name, code === 0 ? { passed: 1 } : { failed: 1 });
}

async function counted(name, command) {
  const before = (await readResults()).reduce((sum, r) => sum + r.failed, 0);
  const code = await runQuietly(name, command);
  const after = (await readResults()).reduce((sum, r) => sum + r.failed, 0);
  if (code !== 0 && after === before) await writeResult(name, { failed: 1 });
}

async function mustPass(name, command) {
  const code = await runQuietly(name, command);
  if (code !== 0) process.exit(code);
}

const [name = "", ...args] = process.argv.slice(2);
const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
if (command === undefined) {
  say(`unknown command "${name}"; there are: ${Object.keys(COMMANDS).join(", ")}`);
  process.exit(2);
}
process.exitCode = await command(args);
