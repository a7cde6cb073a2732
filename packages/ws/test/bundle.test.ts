import { expect, it } from "vitest";
import { bundleForBrowser, gzippedBytes } from "./bundle.ts";

/** What the README says; measured 2026-11-21: 42.3 KB. */
const MOST_KILOBYTES = 44;

it("the bundle of a small page has nothing of Node in it, and is no larger than the README says", async () => {
  const code = await bundleForBrowser("quickstart.ts");
  const kilobytes = gzippedBytes(code) / 1000;
  console.log(
    `core + ws + JSON codec in a page: ${(code.length / 1000).toFixed(1)} KB, ${kilobytes.toFixed(1)} KB gzipped`,
  );
  expect(code).not.toMatch(/node:|require\(|process\.|Buffer\.from/);
  expect(kilobytes).toBeLessThan(MOST_KILOBYTES);
});
