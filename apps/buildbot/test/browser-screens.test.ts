// A picture of each page: on a desktop and on a phone, light and dark, kept in `.results/screens`. And that none of them is wider than its window.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BuildDetail } from "../src/contracts/values.ts";
import { buildersWithGate, fill } from "./browser-house.ts";
import { pictures, settled } from "./browser-looks.ts";
import { buildPage, launch, missingBrowser, Site } from "./browser-rig.ts";
import { Visitor } from "./browser-visitor.ts";

const SCREENS = join(import.meta.dirname, "..", ".results", "screens");

const EMPTY_PAGES = ["/", "/builders", "/grid", "/queue", "/changes", "/bots", "/commands", "/settings"];

describe.skipIf(missingBrowser !== undefined)("every page", { timeout: 300_000 }, () => {
  let web = "";
  let browser: Browser;
  let site: Site;
  let empty: Site;
  let builds: Record<string, BuildDetail>;
  let long: BuildDetail;

  beforeAll(async () => {
    rmSync(SCREENS, { recursive: true, force: true });
    mkdirSync(SCREENS, { recursive: true });
    [web, browser] = await Promise.all([buildPage(), launch()]);
    site = await Site.start(web);
    empty = await Site.start(web, { anonymous: "none" });
    await site.configure(buildersWithGate(site).builders, { lost: { url: join(site.folder, "no-such-repository") } });
    await site.startBot("one");
    builds = await fill(site, "one");
    long = await site.running(await site.force("long", "to watch it"));
    await site.people.bots.create({ name: "two" });
    await site.people.bots.command({ bot: "two", method: "ping" });
    await site.people.builds.force({ builder: "fresh", reason: "when somebody has time", priority: -5 });
    await site.people.users.create({ name: "ada", role: "developer" });
  }, 60_000);

  afterAll(async () => {
    await site?.[Symbol.asyncDispose]();
    await empty?.[Symbol.asyncDispose]();
    await browser?.close();
    rmSync(web, { recursive: true, force: true });
  });

  const pages = (): Record<string, [path: string, act?: (page: Page) => Promise<unknown>]> => ({
    home: ["/"],
    builders: ["/builders"],
    builder: ["/builders/core"],
    force: ["/builders/core", (page) => page.getByRole("button", { name: "Build now" }).click()],
    grid: ["/grid"],
    waterfall: ["/grid?by=time"],
    queue: ["/queue"],
    "build-passed": [`/builds/${builds["core"]?.id}?step=1`],
    "build-failed": [`/builds/${builds["lamp"]?.id}`],
    "build-running": [`/builds/${long.id}`],
    "build-long": [`/builds/${builds["huge"]?.id}?step=1#L50000`],
    "build-tests": [
      `/builds/${builds["lamp"]?.id}?tab=tests`,
      (page) => page.getByRole("button", { name: /keeps the lamp lit/ }).click(),
    ],
    "build-artefacts": [`/builds/${builds["core"]?.id}?tab=artefacts`],
    "build-properties": [`/builds/${builds["core"]?.id}?tab=properties`],
    cancel: [`/builds/${long.id}`, (page) => page.getByRole("button", { name: "Cancel" }).click()],
    changes: ["/changes"],
    "build-commit": [
      "/changes",
      async (page) => {
        await page
          .getByRole("button", { name: /^build [0-9a-f]{10}$/ })
          .first()
          .click();
        await page.getByRole("menuitem", { name: "Core" }).click();
      },
    ],
    bots: ["/bots"],
    "all-bots": ["/bots", (page) => page.getByRole("button", { name: "All bots" }).click()],
    commands: ["/commands"],
    settings: ["/settings"],
    "settings-wrong": [
      "/settings",
      async (page) => {
        const field = page.getByLabel("configuration as YAML");
        await field.fill((await field.inputValue()).replace("command:", "comand:"));
        await page.getByText("It cannot be saved like this").waitFor();
      },
    ],
    users: ["/users"],
    view: ["/", (page) => page.getByRole("button", { name: "colours and times" }).click()],
    keys: ["/", (page) => page.keyboard.press("?")],
    nowhere: ["/no/such/page"],
    "no-build": ["/builds/9999"],
  });

  it("is shown whole, wide and narrow, light and dark, and complains of nothing", async () => {
    const visitor = await Visitor.to(browser, site.url, { token: site.admin });
    const owner = await Visitor.to(browser, empty.url, { token: empty.admin });
    const stranger = await Visitor.to(browser, empty.url);
    const wide: string[] = [];
    const keep = async (who: Visitor, name: string): Promise<void> => {
      wide.push(...(await pictures(who, SCREENS, name)));
    };
    const { page } = visitor;
    await visitor.go("/");
    for (const [name, [path, act]] of Object.entries(pages())) {
      await visitor.follow(path);
      await settled(visitor);
      await act?.(page);
      await keep(visitor, name);
      await page.keyboard.press("Escape");
    }
    await visitor.follow("/");
    await page.setViewportSize({ width: 390, height: 844 });
    await page.getByRole("button", { name: "open the menu" }).click();
    await keep(visitor, "menu");
    await stranger.page.goto(empty.url);
    await stranger.page.getByRole("heading", { name: "Sign in" }).waitFor();
    await keep(stranger, "sign-in");
    await owner.go("/");
    for (const path of EMPTY_PAGES) {
      await owner.follow(path);
      await keep(owner, `empty-${path.slice(1) || "home"}`);
    }
    expect(wide).toEqual([]);
    expect([...visitor.complaints(), ...owner.complaints()]).toEqual([]);
    await Promise.all([visitor, stranger, owner].map((one) => one.close()));
  });
});
