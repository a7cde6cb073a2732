import { describe, expect, it } from "vitest";
import { bundleForBrowser, gzippedBytes } from "./bundle.ts";

/** Pages, and what they bring along at most, in KB gzipped. The README says the first. */
const PAGES = [
  ["quickstart.ts", 29],
  ["page-streams.ts", 32],
  ["page-events.ts", 32],
  ["page-serving.ts", 41],
  ["page-whole.ts", 54],
] as const;

describe("the bundle of a page", () => {
  it.each(PAGES)("has nothing of Node in it, and no more than its contract names: %s", async (page, most) => {
    const code = await bundleForBrowser(page);
    const kilobytes = gzippedBytes(code) / 1000;
    console.log(`${page}: ${(code.length / 1000).toFixed(1)} KB, ${kilobytes.toFixed(1)} KB gzipped`);
    expect(code).not.toMatch(/node:|require\(|process\.|Buffer\.from/);
    expect(kilobytes).toBeLessThan(most);
  });
});
