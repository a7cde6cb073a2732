// Whoever may write a commit, a log, a file's name or the configuration tries to make the page run something; and pages of others try to get in.
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildPage, launch, missingBrowser, Site } from "./browser-rig.ts";
import { Visitor } from "./browser-visitor.ts";
import { until } from "./e2e-rig.ts";

const IMG = "<img src=x onerror=window.pwned=1>";
const SCRIPT = "<script>window.pwned=1</script>";
const LINK = "javascript:window.pwned=1";

/** What a terminal might do with it: titles, links, hidden and moved text, unfinished sequences, a nul, letters that turn the line round. */
const TRICKS = String.raw`printf '\033]0;%s\007\033]8;;%s\033\\click\033]8;;\033\\\n' '${IMG}' '${LINK}'
printf '\033[8mhidden\033[0m \033[2J\033[1;1H\033[38;2;1;2;3;url(%s)mcolour \033[999999999m\033[38;5;900m\n' '${LINK}'
printf '%s\0\n\033[\n\033]\n\342\200\256drawkcab\n' '${SCRIPT}'
echo '${IMG}${SCRIPT}'; echo '"><svg onload=window.pwned=1>' >&2; echo '</span></div>${SCRIPT}'`;

describe.skipIf(missingBrowser !== undefined)("a hostile", { timeout: 120_000 }, () => {
  let web = "";
  let browser: Browser;
  let site: Site;
  let ann: Visitor;

  beforeAll(async () => {
    [web, browser] = await Promise.all([buildPage(), launch()]);
    site = await Site.start(web, { anonymous: "none" });
    ann = await Visitor.to(browser, site.url, { token: site.admin });
  }, 120_000);

  afterAll(async () => {
    await site?.[Symbol.asyncDispose]();
    await browser?.close();
    if (web !== "") rmSync(web, { recursive: true, force: true });
  });

  it("log, commit, name of a step, a test, a file or a builder runs nothing", async () => {
    site.repository.commit(`${IMG}${SCRIPT}`, {
      "tests.tap": `1..1\nnot ok 1 - ${IMG}${SCRIPT}\n  ---\n  message: "${SCRIPT}${IMG}"\n  ...\n`,
      [`${LINK.replaceAll("/", "")}.html`]: SCRIPT,
      "<img src=x onerror=window.pwned=1>.svg": `<svg xmlns="http://www.w3.org/2000/svg" onload="window.pwned=1"/>`,
    });
    await expect(site.configure({ [IMG]: { steps: [{ name: "go", command: "true" }] } })).rejects.toMatchObject({
      reason: "Invalid",
    });
    await site.configure({
      evil: {
        title: IMG,
        group: SCRIPT,
        parameters: [{ name: "choice", label: IMG, default: SCRIPT, choices: [SCRIPT, IMG] }],
        properties: { [SCRIPT]: IMG },
        steps: [
          { name: SCRIPT, command: TRICKS },
          { name: IMG, command: "cat tests.tap", tests: "tap", flunkOnFailure: false, haltOnFailure: false },
          { name: LINK, command: "true", artefacts: ["*.html", "*.svg"] },
        ],
      },
    });
    await site.startBot("one");
    await site.poll("one");
    const { id, artefacts } = await site.ended(await site.force("evil", `${SCRIPT}${IMG}`));
    expect(artefacts).toHaveLength(2);
    const { page } = ann;
    await ann.go("/");
    const seen: string[] = [];
    for (const path of [
      "/",
      "/builders",
      "/builders/evil",
      "/grid",
      "/queue",
      "/changes",
      "/bots",
      "/commands",
      "/settings",
      `/builds/${id}?step=0`,
      `/builds/${id}?step=1`,
      `/builds/${id}?step=2`,
      `/builds/${id}?tab=tests`,
      `/builds/${id}?tab=artefacts`,
      `/builds/${id}?tab=properties`,
    ]) {
      await ann.follow(path);
      await until(() => page.evaluate<boolean>(`document.querySelector('[aria-label="loading"]') === null`));
      seen.push(await page.locator("main").innerText());
    }
    // As words it is all there.
    expect(seen.join("\n")).toContain(`${IMG}${SCRIPT}`);
    await ann.follow(`/builds/${id}?tab=tests`);
    await page.getByRole("button", { name: /img/ }).click();
    await page.getByText(`${SCRIPT}${IMG}`, { exact: true }).first().waitFor();
    await ann.follow("/builders/evil");
    await page.getByRole("button", { name: "Build now" }).click();
    await page.getByLabel(IMG, { exact: true }).waitFor();
    expect(await page.locator('main img[src="x"], main svg[onload], a[href^="javascript:"]').count()).toBe(0);
    expect(await page.evaluate("window.pwned")).toBeUndefined();
    expect(ann.complaints()).toEqual([]);
    for (const { name } of artefacts) {
      const answer = await ann.context.request.get(`${site.url}/artefacts/${id}/${encodeURIComponent(name)}`);
      expect(answer.headers()["content-disposition"]).toMatch(/^attachment/);
      expect(answer.headers()["x-content-type-options"]).toBe("nosniff");
    }
    const raw = await ann.context.request.get(`${site.url}/raw/${id}/1`);
    expect(raw.headers()).toMatchObject({
      "content-type": "text/plain; charset=utf-8",
      "content-security-policy": "default-src 'none'; sandbox",
      "x-content-type-options": "nosniff",
    });
    expect(await raw.text()).toContain(SCRIPT);
  });

  it("stranger without a token is shown the sign-in and nothing else", async () => {
    const stranger = await Visitor.to(browser, site.url);
    const { page } = stranger;
    for (const path of ["/", "/builds/1", "/settings", "/users"]) {
      await page.goto(`${site.url}${path}`);
      await page.getByRole("heading", { name: "Sign in" }).waitFor();
      expect(await page.getByRole("link").count()).toBe(1); // To the content.
      expect(await page.getByRole("textbox").count()).toBe(1);
    }
    for (const path of ["/raw/1/1", "/artefacts/1/a", "/badge/core.svg", "/session"]) {
      expect((await stranger.context.request.get(`${site.url}${path}`)).status()).toBe(401);
    }
    await stranger.close();
  });

  it("page of another origin gets neither in nor a word out, though the browser is signed in", async () => {
    const server = createServer((_request, response) => response.setHeader("content-type", "text/html").end("<p>here"));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const page = await ann.context.newPage();
    await page.goto(`http://127.0.0.1:${port}`);
    const socket = `new Promise((resolve) => {
      const socket = new WebSocket(${JSON.stringify(`${site.url.replace("http", "ws")}/ws`)}, ["rpc.v1.json"]);
      socket.onopen = () => resolve("open");
      socket.onclose = ({ code }) => resolve(code);
    })`;
    expect(await page.evaluate(socket)).toBe(1006);
    const ask = (path: string, method: string): Promise<unknown> =>
      page.evaluate(
        `fetch(${JSON.stringify(site.url + path)}, { method: "${method}", credentials: "include" }).then((answer) => answer.text(), () => "no word")`,
      );
    expect(await ask("/session", "GET")).toBe("no word");
    expect(await ask("/raw/1/1", "GET")).toBe("no word");
    expect(await ask("/logout", "POST")).toBe("no word");
    expect((await ann.context.request.get(`${site.url}/session`)).ok()).toBe(true);
    await page.close();
    server.close();
  });

  it("browser that sends what is too large is hung up on, and nobody else is", async () => {
    const page = await ann.go("/");
    const socket = (bytes: number): string => `new Promise((resolve) => {
      const socket = new WebSocket(location.origin.replace("http", "ws") + "/ws", ["rpc.v1.json"]);
      socket.onopen = () => socket.send(new Uint8Array(${bytes}).fill(32));
      socket.onclose = ({ code }) => resolve(code);
    })`;
    expect([1002, 1003, 1008, 1009, 1006]).toContain(await page.evaluate(socket(20_000_000)));
    await page.getByText(/^live$/i).waitFor();
    expect(await site.people.users.whoami(undefined)).toMatchObject({ role: "admin" });
    expect(ann.complaints({ wasAway: true })).toEqual([]);
  });
});
