// `npm run demo`: a server, two bots and two builders on this machine, until Ctrl-C. What was built is still there at the next start.
// `npm run demo -- --check`: the same until each builder has been green, in a folder that is removed; the exit code tells.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type RunningBot, runBot } from "../src/bot/run-bot.ts";
import { connect, type Connection } from "../src/cli/connection.ts";
import { Output } from "../src/cli/output.ts";
import { EXIT, tellProblem } from "../src/cli/problems.ts";
import { Stop } from "../src/cli/verb.ts";
import { type RunningServer, startServer } from "../src/server/server.ts";
import { demoConfiguration } from "./configuration.ts";
import { isGreen, Progress } from "./progress.ts";
import { cloneOfCheckout, gitVersion, ROOT, sampleRepository } from "./repositories.ts";

const USUAL_PORT = 8010;
const BOTS = ["anvil", "bellows"];
const CHECK_MS = 300_000;

/** What the server tells once. */
interface Tokens {
  admin: string;
  bots: Record<string, string>;
}

const { values } = parseArgs({
  options: { check: { type: "boolean", default: false }, data: { type: "string" }, port: { type: "string" } },
});

const output = new Output(process.stdout);
const stop = new Stop();
const closers: (() => unknown)[] = [];
const isCheck = values.check;
let stage = "starting";
try {
  process.exitCode = await demo(values.data ?? (isCheck ? temporary() : join(ROOT, ".buildbot")));
} catch (thrown) {
  tellProblem(thrown, undefined, true);
  process.stderr.write(`while ${stage}\n`);
  process.exitCode = EXIT.failed;
} finally {
  for (const close of closers.toReversed()) await close();
  stop.forget();
}

async function demo(given: string): Promise<number> {
  const data = resolve(given);
  if (gitVersion() === undefined) throw new Error("bots need git, and there is none on this machine's PATH");
  const server = await startHere(data);
  closers.push(() => server.close());
  const { connection, tokens } = await enter(server, join(data, "demo.json"));
  closers.push(() => connection.transport.close());

  stage = "making repositories";
  const sample = sampleRepository(join(data, "sample"));
  const checkout = cloneOfCheckout(join(data, "checkout.git"));
  const text = demoConfiguration(sample, checkout);
  const { version } = await connection.settings.get();
  // What somebody has changed since stays as it is.
  if (version === 0) await connection.settings.save({ text, version, note: "by the demo" });
  const builders = (await connection.house.builders()).map(({ name }) => name);

  stage = "starting bots";
  for (const name of BOTS) closers.push(await startBot(name, tokens, server, join(data, "bots", name)));
  output.line(`page      ${output.styled(server.httpUrl, "bold")}`);
  output.line(`log in    ${tokens.admin}`);
  output.line(`bots      ${BOTS.join(", ")}`);
  output.line(`builders  ${builders.join(", ")}`);
  output.line(
    `terminal  BUILDBOT_URL=${server.httpUrl} BUILDBOT_TOKEN=${tokens.admin} node apps/buildbot/bin/buildbot.js status`,
  );
  output.line("");

  stage = "building";
  const [last] = await connection.builds.list({ limit: 1 });
  const progress = new Progress(connection, output, (last?.id ?? 0) + 1);
  // The first builds follow from the commits that are found; later ones would wait for new commits.
  if (version === 0) await connection.bots.command({ bot: BOTS[0] ?? "*", method: "pollAllSources" });
  else for (const builder of builders) await connection.builds.force({ builder, reason: "the demo has started" });
  const signal = isCheck ? AbortSignal.any([stop.signal, AbortSignal.timeout(CHECK_MS)]) : stop.signal;
  await progress.until(() => builders.every((builder) => progress.ended.has(builder)), signal);
  const green = builders.filter((builder) => isGreen(progress.ended.get(builder)?.results ?? "exception"));
  if (isCheck) {
    output.line(`${green.length} of ${builders.length} builders are green`);
    return green.length === builders.length ? EXIT.done : EXIT.failed;
  }
  if (!stop.signal.aborted) {
    const summary = green.length === builders.length ? "all builders are green" : "not all builders are green";
    output.line(`\n${summary}; commit into ${sample.url} and see it built. Ctrl-C ends the demo.\n`);
    await progress.until(() => false, stop.signal);
  }
  output.line("\nending; what was built stays in " + data);
  return EXIT.done;
}

async function startHere(data: string): Promise<RunningServer> {
  const start = (port: number): Promise<RunningServer> =>
    startServer({
      dataDir: join(data, "server"),
      http: { host: "127.0.0.1", port },
      tcp: { host: "127.0.0.1", port: 0 },
      onMessage: (message) => output.line(`server: ${message}`),
    });
  if (values.port !== undefined) return start(Number(values.port));
  if (isCheck) return start(0);
  try {
    return await start(USUAL_PORT);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== "EADDRINUSE") throw thrown;
    return start(0);
  }
}

/** As its administrator, with bots that have been let in. */
async function enter(server: RunningServer, file: string): Promise<{ connection: Connection; tokens: Tokens }> {
  stage = "connecting";
  const tokens: Tokens =
    server.adminToken === undefined
      ? (JSON.parse(readFileSync(file, "utf8")) as Tokens)
      : { admin: server.adminToken, bots: {} };
  const keep = (): void => writeFileSync(file, `${JSON.stringify(tokens, null, 2)}\n`, { mode: 0o600 });
  keep();
  const connection = await connect({ url: server.tcpEndpoint, token: tokens.admin });
  for (const name of BOTS.filter((each) => tokens.bots[each] === undefined)) {
    tokens.bots[name] = (await connection.bots.create({ name })).token;
    keep();
  }
  return { connection, tokens };
}

async function startBot(
  name: string,
  { bots }: Tokens,
  server: RunningServer,
  dir: string,
): Promise<() => Promise<void>> {
  const bot: RunningBot = await runBot({
    server: server.tcpEndpoint,
    token: bots[name] ?? "",
    dir,
    env: { ...process.env, CHECKOUT: ROOT },
  });
  return () => bot.close();
}

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), "buildbot-demo-"));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
