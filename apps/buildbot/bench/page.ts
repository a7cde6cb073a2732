// What people wait for at the page, measured in Chromium with a real server and bot in processes of their own: `node bench/page.ts`.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { chromium, type Page } from "playwright-core";
import { stringify } from "yaml";
import { connect } from "../src/cli/connection.ts";

const APP = join(import.meta.dirname, "..");
const LINES = 300;
const folder = mkdtempSync(join(tmpdir(), "buildbot-bench-"));
const source = join(folder, "source");

/** Prints the instant, now and then: as a step does that is worth watching. */
const TALKER = `let left = ${LINES};
const say = () => { console.log("at " + Date.now() + " " + left); if (--left > 0) setTimeout(say, 20 + Math.random() * 180); };
setTimeout(say, 3000);`;

const children: ReturnType<typeof spawn>[] = [];

function start(args: readonly string[], pattern: RegExp, env: Record<string, string> = {}): Promise<RegExpExecArray> {
  const child = spawn(process.execPath, [join(APP, "src/cli/main.ts"), ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout?.setEncoding("utf8").on("data", (more: string) => {
      text += more;
      const found = pattern.exec(text);
      if (found) resolve(found);
    });
    child.once("exit", () => reject(new Error(`${args[0] ?? ""} ended: ${text}`)));
  });
}

function git(...args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    spawn("git", ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", ...args], {
      cwd: source,
      stdio: "ignore",
    }).once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`git ${args[0] ?? ""}: ${code}`))));
  });
}

const quantile = (values: readonly number[], part: number): number =>
  values.toSorted((one, other) => one - other)[Math.min(values.length - 1, Math.floor(values.length * part))] ?? 0;

function memory(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid ?? 0}/status`, "utf8");
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => void setTimeout(resolve, 100));
}

mkdirSync(source);
writeFileSync(join(source, "talker.mjs"), TALKER);
await git("init", "--quiet", "--initial-branch=main");
await git("add", ".");
await git("commit", "--quiet", "-m", "Begin");
const [, web = "", tcp = "", token = ""] = await start(
  ["server", "--data", join(folder, "data"), "--http", "127.0.0.1:0", "--tcp", "127.0.0.1:0"],
  /page:\s+(\S+)[\s\S]*bots:\s+(\S+)[\s\S]*admin:\s+(\S+)/,
);
const server = children[0]?.pid;
const people = await connect({ url: tcp, token });
const steps = (command: string): object => ({ repository: "source", steps: [{ name: "go", command }] });
await people.settings.save({
  version: (await people.settings.get()).version,
  text: stringify({
    repositories: { source: { url: source, pollSeconds: 0 } },
    builders: {
      talk: steps("node talker.mjs"),
      hundred: steps("seq -f 'line %.0f of a long log, as long as lines are that compilers write' 1 100000"),
      flood: steps(
        "yes 'a line as compilers write them, with a path/of/some/length.ts and a word' | head -c 200000000",
      ),
    },
  }),
});
const bot = await people.bots.create({ name: "one" });
await start(["bot", "--server", tcp, "--dir", join(folder, "bot"), "--min-free-mib", "0"], /bot/, {
  BUILDBOT_TOKEN: bot.token,
});

async function begin(builder: string): Promise<number> {
  const { id } = await people.builds.force({ builder });
  let build: number | undefined;
  await until(async () => (build = (await people.builds.request({ id })).buildId) !== undefined);
  return build ?? 0;
}

const ended = async (id: number): Promise<boolean> => (await people.builds.get({ id })).state === "finished";
const browser = await chromium.launch({
  executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-precise-memory-info"],
});
const open = async (path: string): Promise<Page> => {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  await page.goto(`${web}${path}`);
  await page.locator('[data-connection="open"]').waitFor();
  return page;
};
/**
 * Notes the length of each frame, and of those above 50 ms what the page itself did in them: scripts, styles and layout. The rest is drawing, which
 * without a GPU is done by the same cores, and other programs.
 */
const FRAMES = `window.frames_ = []; window.own_ = [0];
  new PerformanceObserver((list) => own_.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "long-animation-frame" }); { let last = performance.now(); const next = (now) => { frames_.push(now - last); last = now; requestAnimationFrame(next); }; requestAnimationFrame(next); }`;
const MEMORY = "Math.round(performance.memory.usedJSHeapSize / 1e6)";

// A line is seen in the frame in which it first is in the document.
const talk = await begin("talk");
const watching = await open(`/builds/${talk}?step=1`);
await watching.evaluate(`window.seen = new Map();
  { const look = () => { const now = Date.now(); for (const [, at, which] of document.body.innerText.matchAll(/at (\\d{13}) (\\d+)/g)) if (!seen.has(which)) seen.set(which, now - Number(at)); requestAnimationFrame(look); }; requestAnimationFrame(look); }`);
await until(() => ended(talk));
await new Promise((resolve) => void setTimeout(resolve, 1000));
const waits = await watching.evaluate<number[]>("[...seen.values()]");
await watching.close();

const hundred = await begin("hundred");
await until(() => ended(hundred));
const scrolling = await open(`/builds/${hundred}?step=1`);
await scrolling.getByText("line 1 of a long log").waitFor();
await scrolling.evaluate(`${FRAMES}
  new Promise((done) => { const box = document.querySelector('[role="log"][aria-label="log"]'); const end = box.scrollHeight; const down = () => { box.scrollTop += end / 600; if (box.scrollTop + box.clientHeight < end - 40) requestAnimationFrame(down); else done(); }; down(); })`);
const scroll = await scrolling.evaluate<number[]>("frames_");
const scrollOwn = await scrolling.evaluate<number[]>("own_");
await scrolling.close();

const flood = await begin("flood");
const flooded = await open(`/builds/${flood}?step=1`);
await flooded.evaluate(FRAMES);
const answers: number[] = [];
let rss = 0;
let heap = 0;
const began = Date.now();
while (!(await ended(flood))) {
  const at = performance.now();
  await people.users.whoami();
  answers.push(performance.now() - at);
  rss = Math.max(rss, memory(server));
  heap = Math.max(heap, await flooded.evaluate<number>(MEMORY));
}
const seconds = (Date.now() - began) / 1000;
const flow = await flooded.evaluate<number[]>("frames_");
const flowOwn = await flooded.evaluate<number[]>("own_");
await browser.close();

const assets = readdirSync(join(APP, "dist/web/assets"));
const index = readFileSync(join(APP, "dist/web/index.html"), "utf8");
const initial = assets.filter((name) => index.includes(name));
const bytes = initial.reduce((sum, name) => sum + gzipSync(readFileSync(join(APP, "dist/web/assets", name))).length, 0);

const ms = (values: readonly number[]): string =>
  `p50 ${quantile(values, 0.5).toFixed(0)} ms, p95 ${quantile(values, 0.95).toFixed(0)} ms, p99 ${quantile(values, 0.99).toFixed(0)} ms, most ${quantile(values, 1).toFixed(0)} ms`;
const ownWords = (values: readonly number[]): string =>
  `of its own at most ${quantile(values, 1).toFixed(0)} ms, ${values.filter((value) => value > 100).length} times above 100 ms`;
process.stdout.write(
  `${[
    `${cpus()[0]?.model ?? ""}, ${cpus().length} cores, Node ${process.version}, ${browser.version()}`,
    `line seen after it was written (${waits.length} of ${LINES}): ${ms(waits)}`,
    `frames while 100,000 lines scroll by (${scroll.length}): ${ms(scroll)}; ${ownWords(scrollOwn)}`,
    `200 MB log in ${seconds.toFixed(0)} s: server RSS at most ${rss} MB, heap of the page at most ${heap} MB`,
    `  calls to the server meanwhile (${answers.length}): ${ms(answers)}`,
    `  frames of the page meanwhile (${flow.length}): ${ms(flow)}; ${ownWords(flowOwn)}`,
    `initial load: ${bytes} bytes gz in ${initial.length} files`,
  ].join("\n")}\n`,
);
await people.transport.close();
for (const child of children.toReversed()) {
  child.removeAllListeners("exit");
  child.kill("SIGTERM");
}
rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
