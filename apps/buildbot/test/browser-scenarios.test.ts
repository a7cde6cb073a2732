// The acceptance scenarios as people see them: a page in Chromium, the server and its bots as processes of their own, real git, on either database.
// Pictures of each are kept in `.results/scenarios`.
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { createDbQueue, createPostgresStore, createSqliteStore } from "@rpc/db-queue";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { startPostgres, type TestServer } from "../../../packages/db-queue/test/embedded-postgres.ts";
import { Bot } from "../src/contracts/bot.ts";
import type { BuildRequest } from "../src/contracts/values.ts";
import { pictures } from "./browser-looks.ts";
import { buildPageInPlace, launch, missingBrowser } from "./browser-rig.ts";
import { Visitor } from "./browser-visitor.ts";
import { CROWD_BUILDER, runCrowd } from "./e2e-crowd.ts";
import { type Builders, House, processesWith, until } from "./e2e-rig.ts";
import { randomOf } from "./random.ts";
import { DATABASES } from "./store-rig.ts";

// Processes and browsers are slow where many others run.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const SCREENS = join(import.meta.dirname, "..", ".results", "scenarios");
/** Of processes that a step leaves behind when its bot is killed. */
const markOf = (kind: string): string => `${kind === "sqlite" ? 700 : 701}.${process.pid}`;
const PATIENCE_MS = 90_000;
const CLEAN_UP = { name: "clean up", command: "echo cleaned", alwaysRun: true };

function buildersOf(house: House, mark: string): Builders {
  const own = { bots: ["one"] };
  const second = join(house.folder, "second");
  return {
    talk: {
      ...own,
      steps: [
        {
          name: "talk",
          // How soon is for the benchmark; here, that it shows while the build runs.
          command: `echo waiting; ${house.gate("seen")}; for i in $(seq 5); do echo line $i; sleep 0.05; done; ${house.gate("shown")}; echo that was all`,
        },
      ],
    },
    edited: { ...own, steps: [{ name: "old", command: `${house.gate("edited")}; true` }] },
    killed: {
      bots: ["victim"],
      steps: [{ name: "once", command: `test -e ${second} || { touch ${second}; sleep ${mark}; }` }],
    },
    waits: { bots: ["absent"], steps: [{ name: "go", command: "true" }] },
    pushed: {
      ...own,
      schedulers: [{ kind: "change", quietSeconds: 0 }],
      steps: [{ name: "show", command: "cat pushed.txt" }],
    },
    fails: { ...own, steps: [{ name: "break", command: "exit 3" }, { name: "never", command: "true" }, CLEAN_UP] },
    silent: {
      ...own,
      steps: [{ name: "sleep", command: `sleep ${mark} & wait`, noOutputTimeoutSeconds: 1, killAfterSeconds: 1 }],
    },
    long: {
      ...own,
      steps: [{ name: "sleep", command: `echo sleeping; sleep ${mark} & wait`, killAfterSeconds: 1 }, CLEAN_UP],
    },
    restart: { ...own, steps: [{ name: "talk", command: `echo before; ${house.gate("restart")}; echo between` }] },
    crash: { ...own, steps: [{ name: "talk", command: `echo before; ${house.gate("crash")}; echo between` }] },
    crowd: CROWD_BUILDER,
  };
}

// Both at once: mostly they wait.
describe.skipIf(missingBrowser !== undefined).concurrent.each(DATABASES)("at the page, on %s", (kind) => {
  let postgres: TestServer | undefined;
  let house: House;
  let browser: Browser;
  let ann: Visitor;
  let page: Page;
  const wide: string[] = [];

  beforeAll(async () => {
    rmSync(join(SCREENS, kind), { recursive: true, force: true });
    mkdirSync(join(SCREENS, kind), { recursive: true });
    await buildPageInPlace();
    // One of its own: it is stopped while the server works.
    if (kind === "postgres") postgres = await startPostgres();
    house = await House.start({ databaseUrl: postgres?.url() });
    await house.configure(buildersOf(house, markOf(kind)));
    await Promise.all([house.startBot("one", 12), house.startBot("two", 2, house.pageUrl)]);
    browser = await launch();
    ann = await Visitor.to(browser, house.pageUrl, { token: house.admin });
    ({ page } = ann);
    page.setDefaultTimeout(PATIENCE_MS);
    await ann.go("/");
  });

  afterAll(async () => {
    await browser?.close();
    await house?.[Symbol.asyncDispose]();
    for (const pid of processesWith(markOf(kind))) process.kill(pid, "SIGKILL");
    await postgres?.stop();
  });

  async function picture(name: string): Promise<void> {
    // What is shown is the same for both; of one it is kept in all looks.
    const looks = kind === "sqlite" ? undefined : ["phone-dark", "desktop-light"];
    wide.push(...(await pictures(ann, join(SCREENS, kind), name, looks)));
  }

  /** By the button of the builder's page. */
  async function force(builder: string): Promise<BuildRequest> {
    const newest = async (): Promise<BuildRequest | undefined> =>
      (await house.people.builds.requests({ builder, pendingOnly: false, limit: 1 }))[0];
    const before = (await newest())?.id ?? 0;
    await ann.follow(`/builders/${builder}`);
    await page.getByRole("button", { name: "Build now" }).click();
    await page.getByRole("button", { name: "Build", exact: true }).click();
    let request: BuildRequest | undefined;
    await until(async () => ((request = await newest())?.id ?? 0) > before);
    if (request === undefined) throw new Error("it was there");
    return request;
  }

  /** A build that was forced, on its page. */
  async function watched(builder: string): Promise<number> {
    const { id, number } = await house.running(await force(builder));
    await page
      .getByRole("link", { name: `#${number}`, exact: true })
      .first()
      .click();
    await page.waitForURL(`${house.pageUrl}/builds/${id}`);
    return id;
  }

  /** The word at the head of a build's page. */
  const standing = (word: string): Locator => page.locator("main").getByText(word, { exact: true }).first();
  const step = (name: string): Locator => page.getByRole("list", { name: "steps" }).getByRole("link", { name });
  const card = (bot: string): Locator => page.locator(`[data-bot="${bot}"]`);

  describe("one after the other", { concurrent: false }, () => {
    it("(a) a build that is forced by the button shows its log while it runs", async () => {
      await watched("talk");
      await page.getByText("waiting", { exact: true }).waitFor();
      house.open("seen");
      await page.getByText("line 5", { exact: true }).waitFor();
      expect(await standing("running").isVisible()).toBe(true);
      house.open("shown");
      await page.getByText("that was all", { exact: true }).waitFor();
      await standing("success").waitFor();
      await picture("a-log");
    });

    it("(b) who edits steps and lets bots reconfigure sees the next build with them, and the running one as it was", async () => {
      const first = await house.running(await force("edited"));
      await ann.follow("/settings");
      const field = page.getByLabel("configuration as YAML");
      await field.fill((await field.inputValue()).replace("name: old", "name: new"));
      await page.getByRole("region", { name: "difference" }).getByText("name: new").waitFor();
      await picture("b-edit");
      await page.getByRole("button", { name: "Save" }).click();
      await page.getByText(/^Version \d+ holds$/).waitFor();
      await ann.follow("/bots");
      await page.getByRole("button", { name: "All bots" }).click();
      await page.getByRole("menuitem", { name: "Reconfigure" }).click();
      await card("one").locator('[data-state="done"]', { hasText: "triggerAllReconfig" }).waitFor();
      const second = await house.running(await force("edited"));
      house.open("edited");
      await ann.follow(`/builds/${second.id}`);
      await standing("success").waitFor();
      await step("new").waitFor();
      await picture("b-new");
      await ann.follow(`/builds/${first.id}`);
      await standing("success").waitFor();
      await step("old").waitFor();
      expect(await step("new").count()).toBe(0);
    });

    it("(c) a build whose bot is killed is shown as one that is built again, and then its successor", async () => {
      const bot = await house.startBot("victim");
      const id = await watched("killed");
      await until(() => existsSync(join(house.folder, "second")));
      await bot.end("SIGKILL");
      await house.startBot("victim");
      await standing("retry").waitFor();
      await picture("c-lost");
      await ann.follow("/builders/killed");
      const builds = page.getByRole("listitem").filter({ has: page.getByRole("link", { name: /^#\d+$/ }) });
      await builds.filter({ hasText: "#2" }).getByRole("img", { name: "success" }).waitFor();
      await builds.filter({ hasText: "#1" }).getByRole("img", { name: "retry" }).waitFor();
      expect(await house.people.builds.get({ id })).toMatchObject({ results: "retry" });
      await picture("c-again");
    });

    it("(d) a button that nobody hears counts down and expires; a build waits in the queue until its bot is back", async () => {
      await house.addBot("absent");
      await ann.follow("/bots");
      await card("absent").getByRole("button", { name: "Ping" }).click();
      await card("absent")
        .locator('[data-state="queued"]', { hasText: /expires in \d+ s/ })
        .waitFor();
      await picture("d-waits");
      await card("absent").getByText("expired after 10 s: no bot was listening").waitFor();
      await picture("d-expired");
      const request = await force("waits");
      await ann.follow("/queue");
      await page.getByRole("button", { name: `cancel request ${request.id}` }).waitFor();
      await picture("d-queue");
      await house.startBot("absent");
      await page.getByText(/^Nothing waits/).waitFor();
      await ann.follow("/builders/waits");
      await page.getByRole("listitem").getByRole("img", { name: "success" }).first().waitFor();
      expect(await house.people.builds.request({ id: request.id })).toMatchObject({ results: "success" });
    });

    it("(e) a push appears among the changes once a bot has looked, and is built", async () => {
      await ann.follow("/changes");
      const look = async (): Promise<void> => {
        await page.getByRole("button", { name: "Look now" }).click();
        await page
          .getByText(/looks at all repositories$/)
          .first()
          .waitFor();
      };
      await look();
      await page.getByText("Begin", { exact: true }).waitFor();
      const hash = house.repository.commit("Push something", { "pushed.txt": "it came\n" });
      await look();
      await page.getByText("Push something", { exact: true }).waitFor();
      const pushed = async () =>
        (await house.people.builds.list({ builder: "pushed" })).find(({ revision }) => revision === hash);
      await until(async () => (await pushed())?.state === "finished");
      const { number } = (await pushed()) ?? {};
      await page.getByRole("link", { name: `pushed #${number}: success` }).waitFor();
      await picture("e-changes");
      await page.getByRole("link", { name: `pushed #${number}: success` }).click();
      await page.getByText("it came", { exact: true }).waitFor();
      expect(await pushed()).toMatchObject({ results: "success", subject: "Push something" });
    });

    it("(f) a step that fails, one that says nothing and a build that is cancelled are told apart", async () => {
      await watched("fails");
      await standing("failure").waitFor();
      const icons = page.getByRole("list", { name: "steps" }).getByRole("img");
      await until(async () => {
        const names = await icons.evaluateAll((all) => (all as { ariaLabel: string }[]).map((one) => one.ariaLabel));
        return names.join(" ") === "success failure skipped success";
      });
      await page.getByText("exit code 3").first().waitFor();
      await picture("f-fails");
      await watched("silent");
      await standing("failure").waitFor();
      await page
        .getByText(/no output for 1 s/)
        .first()
        .waitFor();
      await picture("f-silent");
      const long = await watched("long");
      await page.getByText("sleeping", { exact: true }).waitFor();
      await page.getByRole("button", { name: "Cancel" }).click();
      await page.getByLabel("Reason").fill("nobody needs it");
      await page.keyboard.press("Enter");
      await standing("cancelled").waitFor();
      await page
        .getByText(/nobody needs it/)
        .first()
        .waitFor();
      await step("clean up").getByRole("img", { name: "success" }).waitFor();
      await picture("f-cancelled");
      expect(await house.people.builds.get({ id: long })).toMatchObject({ results: "cancelled" });
    });

    it("(h) all bots are told at once to reconfigure, and each says that it has heard", async () => {
      await ann.follow("/bots");
      await page.getByRole("button", { name: "All bots" }).click();
      await page.getByRole("menuitem", { name: "Reconfigure" }).click();
      for (const bot of ["one", "two", "victim", "absent"])
        await card(bot).locator('[data-state="done"]', { hasText: "triggerAllReconfig" }).first().waitFor();
      await picture("h-all");
      const told = (await house.people.bots.commands({ limit: 20 })).filter(
        ({ method }) => method === "triggerAllReconfig",
      );
      expect(new Set(told.map(({ bot }) => bot))).toEqual(new Set(["one", "two", "victim", "absent"]));
    });

    it("(k) a rescan of an unknown repository is shown as a failure, with title and text", async () => {
      // Another program with the same database.
      const store =
        postgres === undefined
          ? createSqliteStore({ file: join(house.data, "buildbot.db") })
          : createPostgresStore({ connection: postgres.url() });
      const queue = createDbQueue(store);
      const bot = (await house.people.bots.list()).find(({ name }) => name === "two");
      const proxy = queue.proxy(Bot, `software_dev.buildbot:${bot?.id}`, { expires: "1m" });
      await ann.follow("/commands");
      await expect(proxy.rescanCommits({ repository: "nowhere", commits: [], branch: "main" })).rejects.toThrow(
        "nowhere",
      );
      await queue.close();
      await store.close();
      const words = "Unknown repository: nowhere: no repository of the configuration has this name";
      await page.locator('[data-state="failed"]', { hasText: words }).waitFor();
      await picture("k-failed");
    });

    it("(g) of builds whose bots are killed at random the page shows each once, and those that were built again", async () => {
      await ann.follow("/builders/crowd");
      const options = { requests: 10, bots: 3, botKills: 2, serverKills: 0, random: randomOf(11) };
      const report = await runCrowd(house, options);
      expect(report.violations).toEqual([]);
      const count = (word: string): Promise<number> =>
        page.locator("main li li, main ul > li").getByRole("img", { name: word, exact: true }).count();
      await until(
        async () => (await count("success")) === report.requests && (await count("retry")) === report.retries,
        () => JSON.stringify(report),
      );
      await picture("g-crowd");
    });

    it("(i) a page outlives the server: it says that it is alone, and goes on where it was", async () => {
      await watched("restart");
      await page.getByText("before", { exact: true }).waitFor();
      expect(await house.stopServer("SIGTERM")).toBe(0);
      await page.locator('[data-connection="lost"]').waitFor();
      await picture("i-alone");
      house.open("restart");
      await house.startServer();
      await ann.live();
      await page.getByText("between", { exact: true }).waitFor();
      await standing("success").waitFor();
      await picture("i-healed");
    });

    it("(j) a page outlives the database: what it could not be told is asked for again by itself", async () => {
      const id = await watched("crash");
      await page.getByText("before", { exact: true }).waitFor();
      if (postgres === undefined) {
        // SQLite lives in the server's process.
        await house.stopServer("SIGKILL");
        await page.locator('[data-connection="lost"]').waitFor();
        house.open("crash");
        await house.startServer();
        await ann.live();
      } else {
        await postgres.kill();
        // The server itself stays: who gets no answer at all says so.
        let health: unknown = undefined;
        await until(
          async () => {
            health = await fetch(`${house.pageUrl}/health`).then(
              ({ status }) => status,
              (error: unknown) => error,
            );
            return typeof health === "number" && health !== 200;
          },
          () => `health: ${inspect(health)}\n${house.server.out.slice(-500)}\n${house.server.err.slice(-2000)}`,
        );
        await ann.follow("/queue");
        await page.getByText("That did not come").first().waitFor();
        await picture("j-trouble");
        house.open("crash");
        await postgres.up();
        // Nobody presses anything.
        await page.getByText(/^Nothing waits/).waitFor();
        await ann.follow(`/builds/${id}`);
      }
      await page.getByText("between", { exact: true }).waitFor();
      await standing("success").waitFor();
      await picture("j-healed");
      expect(await house.people.builds.get({ id })).toMatchObject({ results: "success" });
    });

    it("nothing was wider than its window, and the page complained of nothing but the server's absence", () => {
      expect(wide).toEqual([]);
      expect(ann.complaints({ wasAway: true })).toEqual([]);
    });
  });
});
