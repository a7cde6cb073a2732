import { join } from "node:path";
import { suite } from "../../vitest/base.ts";

// A project of its own: it needs the registry and half a minute, which `npm test` should not ask of a newcomer.
export default suite(
  { root: join(import.meta.dirname, ".."), include: ["pack/*.test.ts"], testTimeout: 180_000, hookTimeout: 180_000 },
  "pack",
);
