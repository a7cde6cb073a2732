// A picture of each page: on a desktop and on a phone, light and dark, kept in `.results/screens`. And that none of them is wider than its window.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BuildDetail } from "../src/contracts/values.ts";
import { buildersWithGate, fill } from "./browser-house.ts";
import { buildPage, launch, missingBrowser, Site } from "./browser-rig.ts";
import { until } from "./e2e-rig.ts";
import { Visitor } from "./browser-visitor.ts";

const SCREENS = join(import.meta.dirname, "..", ".results", "screens");

const LOOKS = {
  "desktop-light": { width: 1280, height: 800, colorScheme: "light" },
  "desktop-dark": { width: 1280, height: 800, colorScheme: "dark" },
  "phone-dark": { width: 390, height: 844, colorScheme: "dark" },
  "phone-light": { width: 390, height: 844, colorScheme: "light" },
} as const;
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
    bots: ["/bots"],
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
      for (const [look, { width, height, colorScheme }] of Object.entries(LOOKS)) {
        await who.page.setViewportSize({ width, height });
        await who.page.emulateMedia({ colorScheme });
        await settled(who.page);
        await who.page.screenshot({ path: join(SCREENS, `${name}-${look}.png`) });
        const over = await who.overflow();
        if (over > 0) wide.push(`${name} ${look}: ${over} px`);
      }
    };
    const { page } = visitor;
    await visitor.go("/");
    for (const [name, [path, act]] of Object.entries(pages())) {
      await visitor.follow(path);
      await settled(page);
      await act?.(page);
      await keep(visitor, name);
      await page.keyboard.press("Escape");
    }
    await visitor.follow("/");
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

const AT_REST = `document.querySelector('[aria-label="loading"]') === null &&
  document.getAnimations().every((one) => one.playState !== "running" || one.effect.getTiming().iterations === Infinity)`;

/** Nothing is on its way any more, and what moves has come to rest. */
async function settled(page: Page): Promise<void> {
  await page.locator("h1").first().waitFor();
  await until(() => page.evaluate<boolean>(AT_REST));
}
