// People at their browsers: whatever the page is for, done with a real server, a real bot, real git.
import { rmSync } from "node:fs";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BuildDetail } from "../src/contracts/values.ts";
import { buildersWithGate, fill } from "./browser-house.ts";
import { buildPage, launch, missingBrowser, Site } from "./browser-rig.ts";
import { Visitor } from "./browser-visitor.ts";
import { until } from "./e2e-rig.ts";

it("a Chromium is there, where it must be", () => {
  expect(process.env["CI"] ? missingBrowser : undefined).toBeUndefined();
});

// A browser is slow where others work on the same machine.
describe.skipIf(missingBrowser !== undefined)("in Chromium", { timeout: 120_000 }, () => {
  let web = "";
  let browser: Browser;
  let site: Site;
  let ann: Visitor;
  let open: () => void;
  let built: Record<string, BuildDetail>;

  beforeAll(async () => {
    [web, browser] = await Promise.all([buildPage(), launch()]);
    site = await Site.start(web);
    const gated = buildersWithGate(site);
    open = gated.open;
    await site.configure(gated.builders);
    await site.startBot("one");
    built = await fill(site, "one");
    ann = await Visitor.to(browser, site.url, { token: site.admin });
  }, 120_000);

  afterAll(async () => {
    await site?.[Symbol.asyncDispose]();
    await browser?.close();
    if (web !== "") rmSync(web, { recursive: true, force: true });
  });

  it("who has no token looks only; who has one signs in with it, and out again", async () => {
    const bob = await Visitor.to(browser, site.url);
    const { page } = bob;
    await bob.go("/builders/core");
    expect(await page.getByRole("button", { name: "Build now" }).isDisabled()).toBe(true);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByLabel("Token").fill("of-nobody");
    await page.getByRole("dialog").getByRole("button", { name: "Sign in" }).click();
    await page.getByText("nobody has this token").waitFor();
    await page.getByLabel("Token").fill(site.admin);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "admin" }).waitFor();
    expect(await page.getByRole("button", { name: "Build now" }).isEnabled()).toBe(true);
    expect(await page.evaluate("document.cookie")).toBe("");
    await page.getByRole("button", { name: "admin" }).click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    // The browser itself says that a token was refused.
    expect(bob.complaints().filter((text) => !text.includes("401"))).toEqual([]);
    await bob.close();
  });

  it("shows how builders are, what was built, and what each made of each revision", async () => {
    const page = await ann.go("/");
    await page.getByRole("link", { name: "Lamp house" }).waitFor();
    await page.getByText(/failure .*1 of 6 tests failed/).waitFor();
    await page.getByLabel("search builds").fill("no such build");
    await page.getByText("No build is like that.").waitFor();
    await page.getByLabel("search builds").fill("door");
    await page.getByRole("listitem").filter({ hasText: "Mend the door" }).first().waitFor();
    await ann.follow("/builders/docs");
    await page.getByText("does links, then spelling").waitFor();
    await page.getByText(/^builds at the times of 30 3 29 2 \*, due (in|next) /).waitFor();
    await page.getByRole("link", { name: "Builders", exact: false }).first().click();
    await page.getByRole("heading", { name: "packages" }).waitFor();
    await page.getByRole("link", { name: "Grid" }).click();
    await page.getByRole("columnheader", { name: "docs" }).waitFor();
    await page.getByRole("img", { name: /^lamp #1: failure$/ }).waitFor();
    await page.getByText("By time", { exact: true }).click();
    await page
      .getByRole("group", { name: "lamp" })
      .getByRole("link", { name: /^lamp #1: failure, / })
      .waitFor();
    expect(ann.complaints()).toEqual([]);
  });

  it("forces a build with its parameters, and follows its log while it runs", async () => {
    const page = await ann.go("/builders/core");
    await page.getByRole("button", { name: "Build now" }).click();
    await page.getByLabel("Reason").fill("to see the whole suite");
    await page.getByLabel("Suite").selectOption("whole");
    await page.getByRole("button", { name: "Build", exact: true }).click();
    const { id: forced, number } = await newest(site, "core", "to see the whole suite");
    const row = page.getByRole("listitem").filter({ has: page.getByRole("link", { name: `#${number}`, exact: true }) });
    await row.getByRole("img", { name: "success" }).waitFor();
    await row.getByRole("link", { name: `#${number}` }).click();
    await page.waitForURL(`${site.url}/builds/${forced}`);
    await page.getByRole("link", { name: /say what was asked/ }).click();
    await page.getByText("the suite is whole", { exact: true }).waitFor();
    await page.getByText("to see the whole suite", { exact: false }).waitFor();

    const { id } = await site.running(await site.force("long"));
    await ann.go(`/builds/${id}`);
    await page.getByText(/^tick 3$/).waitFor();
    // The end is in view as it grows.
    const log = page.getByRole("log", { name: "log" });
    const lowest = (): Promise<string> =>
      log.evaluate((element: unknown) => (element as { innerText: string }).innerText.trim().split("\n").at(-1) ?? "");
    const before = await lowest();
    await until(async () => (await lowest()) !== before);
    open();
    await page.getByText("the gate is open", { exact: true }).waitFor();
    await page.getByRole("link", { name: /clean up/ }).waitFor();
    await page.locator("main").getByText("success", { exact: true }).first().waitFor();
    expect(ann.complaints()).toEqual([]);
  });

  it("leads to a line of a long log, searches it, and gives it raw", async () => {
    const { id = 0 } = built["huge"] ?? {};
    const page = await ann.go(`/builds/${id}?step=1#L50001`);
    await page.getByText("line 50000 of the long log").waitFor();
    expect(await page.getByRole("log", { name: "log" }).locator("> div > div > div").count()).toBeLessThan(200);
    await page.getByLabel("line 50003").click();
    expect(page.url()).toMatch(/\?step=1#L50003$/);
    await page.getByRole("button", { name: "100,002 lines" }).click();
    await page.getByLabel("line to go to").fill("70001");
    await page.keyboard.press("Enter");
    await page.getByText("line 70000 of the long log").waitFor();
    expect(page.url()).toMatch(/\?step=1#L70001$/);
    await page.getByRole("log", { name: "log" }).focus();
    await page.keyboard.press("/");
    await page.keyboard.type("line 9999");
    await page.getByText(/^1 of 11$/).waitFor();
    await page.getByText("line 9999 of the long log").waitFor();
    await page.keyboard.press("Shift+Enter");
    await page.getByText("line 99999 of the long log").waitFor();
    const raw = await page.getByRole("link", { name: "Raw" }).getAttribute("href");
    const answer = await ann.context.request.get(`${ann.origin}${raw ?? ""}`);
    expect(answer.headers()).toMatchObject({ "content-type": "text/plain; charset=utf-8" });
    expect((await answer.text()).split("\n").filter((line) => line.startsWith("line "))).toHaveLength(100_000);
    expect(ann.complaints()).toEqual([]);
  });

  it("shows tests and their history, and keeps files", async () => {
    const page = await ann.go(`/builds/${built["lamp"]?.id}?tab=tests`);
    await page.getByRole("button", { name: /keeps the lamp lit/ }).click();
    await page.getByText("expected 'lit', got 'dark'").waitFor();
    await page.getByRole("list", { name: "history, newest first" }).getByRole("link").first().waitFor();
    await page.getByLabel("state").selectOption("pass");
    await page.getByText("4 of 4").waitFor();
    await ann.go(`/builds/${built["core"]?.id}?tab=artefacts`);
    const coming = page.waitForEvent("download");
    await page.getByRole("link", { name: "out/report.html" }).click();
    expect((await coming).suggestedFilename()).toBe("report.html");
    expect(ann.complaints()).toEqual([]);
  });

  it("takes a request out of the queue, cancels a build with a reason, and builds again", async () => {
    await site.force("fresh", "for nobody");
    const page = await ann.go("/queue");
    await page.getByText("for nobody").waitFor();
    await page.getByRole("button", { name: /^cancel request/ }).click();
    await page.getByLabel("Reason").fill("nobody wants it");
    await page.getByRole("button", { name: "Take it out" }).click();
    await page.getByText(/^Nothing waits/).waitFor();
    await page.getByRole("switch", { name: "ended ones too" }).click();
    await page.getByText("taken out: nobody wants it (admin)").waitFor();

    const gated = buildersWithGate(site, "never");
    await site.configure(gated.builders);
    const { id } = await site.running(await site.force("long"));
    await ann.go(`/builds/${id}`);
    await page.getByText(/^tick 1$/).waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByLabel("Reason").fill("it is late");
    await page.keyboard.press("Enter");
    await page.locator("main").getByText("cancelled", { exact: true }).first().waitFor();
    await page.getByText("it is late", { exact: false }).first().waitFor();

    await ann.go(`/builds/${built["docs"]?.id}`);
    await page.getByRole("button", { name: "Rebuild" }).click();
    await until(async () => (await site.people.builds.list({ builder: "docs" }))[0]?.number === 2);
    expect(ann.complaints()).toEqual([]);
  });

  it("tells bots, and shows what became of it: done, or expired because nobody listened", async () => {
    await site.people.bots.create({ name: "two" });
    const page = await ann.go("/bots");
    await page.locator('[data-bot="one"]').getByRole("button", { name: "Ping" }).click();
    await page.locator('[data-bot="one"] [data-state="done"]', { hasText: "ping" }).waitFor();
    await page.locator('[data-bot="two"]').getByRole("button", { name: "Ping" }).click();
    await page.locator('[data-bot="two"] [data-state="queued"]', { hasText: /expires in \d+ s/ }).waitFor();
    await page.getByText("expired after 10 s: no bot was listening").waitFor();
    await page.getByRole("button", { name: "All bots" }).click();
    await page.getByRole("menuitem", { name: "Reconfigure" }).click();
    await page.getByText("2 bots are told").waitFor();
    await page.locator('[data-bot="one"] [data-state="done"]', { hasText: "triggerAllReconfig" }).waitFor();
    await page.locator('[data-bot="one"]').getByRole("button", { name: "Pause" }).click();
    await page.locator('[data-bot="one"]').getByText("paused", { exact: true }).waitFor();
    await page.locator('[data-bot="one"]').getByRole("button", { name: "Resume" }).click();
    await page.locator('[data-bot="one"]').getByRole("button", { name: "Pause" }).waitFor();
    expect(ann.complaints()).toEqual([]);
  });

  it("edits the configuration: says what is wrong in which line, shows the difference, saves, and tells others", async () => {
    const bob = await Visitor.to(browser, site.url, { token: site.admin });
    await bob.go("/builders");
    const page = await ann.go("/settings");
    const field = page.getByLabel("configuration as YAML");
    const text = await field.inputValue();
    const line = text.split("\n").findIndex((one) => one.includes("title: Core")) + 1;
    await field.fill(text.replace("title: Core", "titel: Core"));
    await page.getByRole("button", { name: `line ${line}`, exact: true }).click();
    const marked = await field.evaluate((one: unknown) => {
      const { value, selectionStart, selectionEnd } = one as Field;
      return value.slice(selectionStart, selectionEnd);
    });
    expect(marked).toContain("titel: Core");
    expect(await page.getByRole("button", { name: "Save" }).isDisabled()).toBe(true);
    await field.fill(text.replace("title: Core", "title: The core"));
    await page.getByRole("region", { name: "difference" }).getByText("title: The core").waitFor();
    await page.getByLabel("What has changed").fill("a better name");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("tab", { name: "History" }).click();
    await page.getByText("a better name").waitFor();
    await bob.page.getByRole("link", { name: "The core" }).waitFor();
    expect(bob.complaints()).toEqual([]);
    await bob.close();
    expect(ann.complaints()).toEqual([]);
  });

  it("helps whoever begins with nothing", async () => {
    await using fresh = await Site.start(web);
    const eve = await Visitor.to(browser, fresh.url, { token: fresh.admin });
    const page = await eve.go("/settings");
    await page.getByRole("button", { name: "Begin with an example" }).click();
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Version 1 holds").waitFor();
    await eve.follow("/builders/tests");
    await page.getByRole("button", { name: "Build now" }).waitFor();
    expect(eve.complaints()).toEqual([]);
    await eve.close();
  });

  it("two see what each does", async () => {
    const bob = await Visitor.to(browser, site.url, { token: site.admin });
    await bob.go("/");
    const page = await ann.go("/builders/core");
    await page.getByRole("button", { name: "Build now" }).click();
    await page.getByLabel("Reason").fill("that Bob sees it");
    await page.keyboard.press("Enter");
    const { number } = await newest(site, "core", "that Bob sees it");
    const row = bob.page.getByRole("listitem").filter({ hasText: `core#${number}` });
    await row.getByRole("img", { name: "success" }).waitFor();
    expect([...ann.complaints(), ...bob.complaints()]).toEqual([]);
    await bob.close();
  });

  it("says when a repository could not be looked at", async () => {
    await site.configure(buildersWithGate(site).builders, { lost: { url: "/nowhere/at-all", pollSeconds: 0 } });
    const page = await ann.go("/changes");
    await page.getByText("Count the crates twice").waitFor();
    await page.getByRole("button", { name: "Look now" }).click();
    await page.getByText("lost could not be looked at").waitFor();
    await site.configure(buildersWithGate(site).builders);
    await page.getByText("lost could not be looked at").waitFor({ state: "detached" });
    expect(ann.complaints()).toEqual([]);
  });

  it("builds a commit that is pointed at", async () => {
    const page = await ann.go("/changes");
    const [commit] = await site.people.house.changes({ limit: 1 });
    await page
      .getByRole("button", { name: `build ${commit?.hash.slice(0, 10)}` })
      .first()
      .click();
    await page.getByRole("menuitem", { name: "Documentation" }).click();
    expect(await page.getByLabel("Revision").inputValue()).toBe(commit?.hash);
    await page.getByLabel("Reason").fill("this very commit");
    await page.keyboard.press("Enter");
    expect(await newest(site, "docs", "this very commit")).toMatchObject({ revision: commit?.hash });
    expect(ann.complaints()).toEqual([]);
  });

  it("says how long ago, or when", async () => {
    const page = await ann.go(`/builds/${built["core"]?.id}`);
    const time = page.locator("main time").first();
    await time.waitFor();
    await page.keyboard.press("t");
    const at = new Date(built["core"]?.startedAt ?? 0);
    await until(async () => (await time.innerText()).includes(String(at.getDate())));
    expect(await time.getAttribute("title")).toMatch(/ago|now/);
    await page.getByRole("button", { name: "colours and times" }).click();
    await page.getByRole("menuitem", { name: "3 minutes ago" }).click();
    expect(await time.innerText()).not.toContain(":");
    expect(ann.complaints()).toEqual([]);
  });

  it("the badge says how the builder is", async () => {
    const page = await ann.go("/builders/lamp");
    const badge = page.getByAltText("badge of lamp");
    await badge.scrollIntoViewIfNeeded();
    await until(() => badge.evaluate((one: unknown) => (one as { naturalWidth: number }).naturalWidth > 0));
    expect(await (await ann.context.request.get(`${site.url}/badge/lamp.svg`)).text()).toContain("failure");
    expect(ann.complaints()).toEqual([]);
  });

  it("is used by the keyboard alone, and says what each control is for", async () => {
    const page = await ann.go("/");
    for (const path of ["/", "/builders/core", "/bots", "/settings", `/builds/${built["lamp"]?.id}`]) {
      await ann.follow(path);
      await page.locator("h1").waitFor();
      const nameless = await page.evaluate<string[]>(NAMELESS);
      const headings = await page.locator("h1").count();
      const landmarks = await page.locator("main, nav, header").count();
      expect({ path, nameless, headings, landmarks }).toEqual({ path, nameless: [], headings: 1, landmarks: 3 });
    }
    await ann.go("/queue");
    await page.getByLabel("ended ones too").waitFor();
    const reached: string[] = [];
    for (let at = 0; at < 20 && !reached.includes("ended ones too"); at++) {
      await page.keyboard.press("Tab");
      const { name, isVisible } = await page.evaluate<{ name: string; isVisible: boolean }>(FOCUSED);
      expect({ name, isVisible }).toEqual({ name, isVisible: true });
      reached.push(name);
    }
    expect(reached.slice(0, 3)).toEqual(["Go to the content", "colours and times", "admin"]);
    expect(reached.at(-1)).toBe("ended ones too");
    await page.keyboard.press("Escape");
    await page.locator("h1").click();
    await page.keyboard.type("gb");
    await page.waitForURL(`${site.url}/builders`);
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    expect(ann.complaints()).toEqual([]);
  });

  it("shows that the connection is lost, and mends it by itself when the server is there again", async () => {
    const page = await ann.go("/");
    await site.stop();
    await page.locator('[data-connection="lost"]').waitFor();
    await page.getByRole("link", { name: "Lamp house" }).waitFor();
    await site.startAgain();
    await ann.live();
    await site.present("one", true);
    const { number } = await site.ended(await site.force("docs", "after the night"));
    await page
      .getByRole("listitem")
      .filter({ hasText: `docs#${number}` })
      .getByRole("img", { name: "warnings" })
      .waitFor();
    expect(ann.complaints({ wasAway: true })).toEqual([]);
  });
});

/** Controls that somebody who does not see them is told nothing of. */
const NAMELESS = `[...document.querySelectorAll("button, a[href], input, select, textarea")]
  .filter((one) => one.offsetParent !== null && one.type !== "hidden")
  .filter((one) => !(one.getAttribute("aria-label") || one.textContent.trim() || one.labels?.length || one.querySelector("[aria-label], img[alt]")))
  .map((one) => one.outerHTML.slice(0, 200))`;

/** What has the focus, and whether it can be seen that it has: by an outline, or because it is drawn otherwise. */
const FOCUSED = `(() => {
  const one = document.activeElement;
  const name = one.getAttribute("aria-label") ?? (one.labels?.[0]?.textContent || one.textContent).trim();
  const styles = [one, one.nextElementSibling, one.parentElement].filter(Boolean).map((each) => getComputedStyle(each));
  const box = one.getBoundingClientRect();
  return { name, isVisible: box.right > 0 && styles.some((style) => style.outlineStyle !== "none" && style.outlineWidth !== "0px") };
})()`;

interface Field {
  readonly value: string;
  readonly selectionStart: number;
  readonly selectionEnd: number;
}

/** The newest build of a builder, when it is the one that was asked for with this reason, and has begun. */
async function newest(site: Site, builder: string, reason: string): Promise<BuildDetail> {
  const find = async (): Promise<number | undefined> =>
    (await site.people.builds.list({ builder })).find((build) => build.reason === reason)?.id;
  await until(async () => (await find()) !== undefined);
  return site.people.builds.get({ id: (await find()) ?? 0 });
}
