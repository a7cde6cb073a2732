import { basename } from "node:path";
import { expect, test } from "vitest";
import { capabilityPages } from "../capability-pages.ts";

// Red? Run `node tools/checks/capability-pages.ts`.
test.each(capabilityPages().map((page) => [basename(page.path), page] as const))(
  "the generated part of %s is what the transports declare and the suites ask",
  (_, { now, wanted }) => {
    expect(now).toBe(wanted);
  },
);

test("the pages have their marks", () => {
  const [readme, transports, contribute] = capabilityPages();
  expect(readme?.wanted).toContain("| capability | memory | tcp |");
  expect(transports?.wanted).toContain("| capability | memory | tcp |");
  expect(contribute?.wanted).toContain("| C01 | `open-once` |");
});
