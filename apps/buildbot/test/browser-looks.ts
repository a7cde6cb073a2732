import { join } from "node:path";
import { until } from "./e2e-rig.ts";
import type { Visitor } from "./browser-visitor.ts";

/** On a desktop and on a phone, in the light and in the dark. */
const LOOKS = {
  "desktop-dark": { width: 1280, height: 800, colorScheme: "dark" },
  "phone-dark": { width: 390, height: 844, colorScheme: "dark" },
  "phone-light": { width: 390, height: 844, colorScheme: "light" },
  // The last one stays.
  "desktop-light": { width: 1280, height: 800, colorScheme: "light" },
} as const;

const AT_REST = `document.querySelector('[aria-label="loading"]') === null &&
  document.getAnimations().every((one) => one.playState !== "running" || one.effect.getTiming().iterations === Infinity)`;

/** Nothing is on its way any more, and what moves has come to rest. */
export async function settled({ page }: Visitor): Promise<void> {
  await page.locator("h1").first().waitFor();
  // What moves begins with the next picture.
  await page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))");
  await until(() => page.evaluate<boolean>(AT_REST));
}

/** Pictures of what somebody sees, in all looks or in these: `<folder>/<name>-<look>.png`. Gives where the page was wider than its window. */
export async function pictures(
  visitor: Visitor,
  folder: string,
  name: string,
  looks: readonly string[] = Object.keys(LOOKS),
): Promise<string[]> {
  const { page } = visitor;
  const wide: string[] = [];
  for (const [look, { width, height, colorScheme }] of Object.entries(LOOKS)) {
    if (!looks.includes(look)) continue;
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme });
    await settled(visitor);
    await page.screenshot({ path: join(folder, `${name}-${look}.png`) });
    const over = await visitor.overflow();
    if (over > 0) wide.push(`${name} ${look}: ${over} px`);
  }
  return wide;
}
