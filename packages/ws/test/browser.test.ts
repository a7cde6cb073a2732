import { createRouter } from "@rpc/core";
import { jsonEnvelopeCodec } from "@rpc/core/transport";
import { protobufEnvelopeCodec } from "@rpc/protobuf";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import type { WsListenerOptions } from "../src/index.ts";
import { Desk, Page } from "./browser/contract.ts";
import { launch, missingBrowser, openSite, type Site, Visit } from "./browser-rig.ts";

const PATIENCE = { timeout: 10_000, interval: 20 };
const QUICK = { reconnect: { minMs: 20, maxMs: 100, factor: 2 } };

it("a Chromium is there, where it must be", () => {
  expect(process.env["CI"] ? missingBrowser : undefined).toBeUndefined();
});

// A browser is slow where others work on the same machine.
describe.skipIf(missingBrowser !== undefined)("in Chromium", { timeout: 60_000 }, () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launch();
  }, 60_000);

  afterAll(async () => {
    await browser?.close();
  });

  /** A site with a desk, and a page of it. */
  async function visit(
    options: WsListenerOptions = {},
  ): Promise<{ site: Site; page: Visit; runs: Map<number, number> }> {
    const runs = new Map<number, number>();
    const router = createRouter(Desk, {
      echo: (value) => value,
      who: (_input, { peer }) => peer?.identity ?? "nobody",
      once: async (value) => {
        runs.set(value as number, (runs.get(value as number) ?? 0) + 1);
        await new Promise((resolve) => setTimeout(resolve, 2 + ((value as number) % 7)));
        return value;
      },
      callBack: async (_input, { peer }) => peer?.client(Page).title(undefined),
      count: async function* (end) {
        for (let i = 0; i < (end as number); i++) yield i;
      },
      sum: async (values) => {
        let sum = 0;
        for await (const value of values) sum += typeof value === "string" ? value.length : (value as number);
        return sum;
      },
      bounce: async function* (values) {
        yield* values;
      },
    });
    const site = await openSite(router, { codecs: [jsonEnvelopeCodec, protobufEnvelopeCodec], ...options });
    publishers.set(site, (text) => router.news.publish(text));
    const page = await Visit.to(browser, site.origin);
    onTestFinished(async () => {
      await page.page.close();
      await site.close();
    });
    return { site, page, runs };
  }
  const publishers = new WeakMap<Site, (text: string) => unknown>();

  it.each([
    ["JSON", {}],
    ["protobuf", { protobuf: true }],
  ])("calls, streams of all shapes and calls back work with %s", async (_name, settings) => {
    const { page } = await visit();
    expect(await page.run("echo", settings, { text: "Grüße, 世界 \u{1f600}" })).toEqual({
      text: "Grüße, 世界 \u{1f600}",
    });
    expect(await page.run("values", settings)).toEqual([
      [0, 127, 128, 255],
      "1970-01-01T00:00:00.000Z",
      String(2n ** 70n),
      true,
    ]);
    expect(await page.run("large", settings, 500_000)).toBe(500_000);
    expect(await page.run("concurrent", settings, 2_000)).toBe(true);
    expect(await page.run("streams", settings)).toEqual([5_000, 12_497_500, [0, 1, 2, 3, 4]]);
    expect(await page.run("leaveStream", settings)).toBe("next");
    expect(await page.run("callBack", settings)).toBe("the page");
  });

  it("D01 the server calls a page that has no call open, and all pages at once", async () => {
    const { site, page } = await visit();
    await page.run("open", {});
    await vi.waitUntil(() => [...site.listener.peers].length === 1, PATIENCE);
    const [peer] = site.listener.peers;
    expect(await peer?.client(Page).title(undefined)).toBe("the page");
  });

  it("events of the server arrive, each once and in order", async () => {
    const { site, page } = await visit();
    await page.run("open", QUICK);
    await page.run("subscribe");
    const publish = publishers.get(site);
    const wanted = Array.from({ length: 100 }, (_, i) => `news ${i}`);
    for (const [i, text] of wanted.entries()) {
      await publish?.(text);
      if (i === 50) site.cut();
    }
    await vi.waitUntil(async () => ((await page.run("finish")) as unknown[]).length >= wanted.length, PATIENCE);
    expect(await page.run("finish")).toEqual(wanted);
    await page.run("close");
  });

  it("a secret is proved by WebCrypto, and a wrong one is refused", async () => {
    const secret = "correct horse battery staple";
    const { page } = await visit({ secrets: { page: secret } });
    expect(await page.run("who", { secret, identity: "page" })).toBe("page");
    expect(await page.run("failure", { secret: "wrong horse", identity: "page" })).toBe("UNAUTHENTICATED");
    expect(await page.run("failure", {})).toBe("UNAUTHENTICATED");
  });

  it("a token says who it is", async () => {
    const { page } = await visit({ authenticate: ({ token }) => (token === "ticket 7" ? "Ada" : undefined) });
    expect(await page.run("who", { token: "ticket 7" })).toBe("Ada");
    expect(await page.run("failure", { token: "ticket 8" })).toBe("UNAUTHENTICATED");
  });

  it("H145 a page of another origin is refused", async () => {
    const [here, elsewhere] = [await visit(), await visit()];
    const endpoint = `${here.site.origin.replace("http", "ws")}/rpc`;
    expect(await elsewhere.page.run("failure", { endpoint, whenDown: "fail" })).toBe("UNAVAILABLE");
    expect(await here.page.run("echo", { endpoint }, "same origin")).toBe("same origin");
  });

  it("H145 a page of a listed origin is let in", async () => {
    const elsewhere = await visit();
    const here = await visit({ origins: [elsewhere.site.origin] });
    const endpoint = `${here.site.origin.replace("http", "ws")}/rpc`;
    expect(await elsewhere.page.run("echo", { endpoint }, "listed")).toBe("listed");
  });

  it("D08 calls and streams go on over a connection that is cut again and again, and each handler runs once", async () => {
    const { site, page, runs } = await visit();
    await page.run("open", QUICK);
    for (let round = 0; round < 5; round++) {
      runs.clear();
      await page.run("begin", 100);
      await vi.waitUntil(() => runs.size > 10, PATIENCE);
      site.cut();
      expect(await page.run("finish")).toEqual(Array.from({ length: 100 }, (_, i) => i));
      expect([...runs.values()].every((count) => count === 1)).toBe(true);
      expect(runs.size).toBe(100);
    }
    await page.run("beginStream", 10_000);
    for (let cuts = 0; cuts < 5; cuts++) {
      await new Promise((resolve) => setTimeout(resolve, 30));
      site.cut();
    }
    expect(await page.run("finish")).toBe(true);
    const { status, events } = await page.run("state");
    expect(status).toBe("open");
    expect(events.filter((name) => name === "connected")).toHaveLength(1);
    expect(events.filter((name) => name === "resumed").length).toBeGreaterThanOrEqual(5);
    expect(events).not.toContain("disconnected");
    await page.run("close");
  });

  it("H150 a frozen tab is given up, keeps its session, and goes on when it wakes", async () => {
    const beat = { heartbeatMs: 150, aliveMs: 450 };
    const { site, page } = await visit(beat);
    const seen: string[] = [];
    site.listener.on("client-suspended", () => seen.push("suspended"));
    site.listener.on("client-resumed", () => seen.push("resumed"));
    site.listener.on("client-disconnected", () => seen.push("gone"));
    await page.run("open", { ...QUICK, ...beat });
    const tools = await page.tools();
    // No script of the page runs any more, as in a frozen tab or on a laptop that sleeps; its connection stays.
    await tools.send("Debugger.enable");
    await tools.send("Debugger.pause");
    await vi.waitUntil(() => seen.includes("suspended"), PATIENCE);
    await tools.send("Debugger.disable");
    expect(await page.run("call", "awake")).toBe("awake");
    await vi.waitUntil(() => seen.includes("resumed"), PATIENCE);
    expect(seen).not.toContain("gone");
    await page.run("close");
  });

  it("a closed tab is a lost peer", async () => {
    const { site, page } = await visit({ resumeWindowMs: 0 });
    await page.run("open", {});
    await vi.waitUntil(() => [...site.listener.peers].length === 1, PATIENCE);
    await page.page.goto("about:blank");
    await vi.waitUntil(() => [...site.listener.peers].length === 0, PATIENCE);
    expect([...site.listener.peers]).toEqual([]);
  });

  it("H17 a page that sends faster than the server reads is slowed down, and nothing is lost", async () => {
    const { page } = await visit();
    expect(await page.run("upload", {}, 300, 100_000)).toBe(30_000_000);
  });

  it("permessage-deflate is agreed where the server wants it", async () => {
    const { page } = await visit({ compression: true });
    const received: string[] = [];
    const tools = await page.tools();
    await tools.send("Network.enable");
    tools.on("Network.webSocketHandshakeResponseReceived", ({ response }) => received.push(response.headersText ?? ""));
    expect(await page.run("large", {}, 500_000)).toBe(500_000);
    await vi.waitUntil(() => received.length > 0, PATIENCE);
    expect(received[0]).toMatch(/permessage-deflate/);
  });
});
