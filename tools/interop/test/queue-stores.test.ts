import { describe } from "vitest";
import { claimCases } from "../../../packages/db-queue/test/store-suite-claims.ts";
import { commandCases } from "../../../packages/db-queue/test/store-suite-commands.ts";
import { endingCases } from "../../../packages/db-queue/test/store-suite-endings.ts";
import { wakeUpCases } from "../../../packages/db-queue/test/store-suite-wake-ups.ts";
import { rigOver, WIRES } from "../queue/store-rigs.ts";

describe.each(Object.entries(WIRES))("a store over %s", (_name, wire) => {
  const open = rigOver(wire);
  describe("commands and addresses", () => {
    commandCases(open);
  });
  describe("claims", () => {
    claimCases(open);
  });
  describe("answers, cancellation and broadcasts", () => {
    endingCases(open);
  });
  describe("wake-ups", () => {
    wakeUpCases(open);
  });
});
