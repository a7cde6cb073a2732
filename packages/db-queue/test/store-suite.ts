import { describe } from "vitest";
import { claimCases } from "./store-suite-claims.ts";
import { commandCases } from "./store-suite-commands.ts";
import { endingCases } from "./store-suite-endings.ts";
import { upkeepCases } from "./store-suite-upkeep.ts";
import { wakeUpCases } from "./store-suite-wake-ups.ts";
import type { StoreSuiteOptions } from "./store-rig.ts";

/** What every store must do, whatever its database. Titles name the rows of the feature list that they prove. */
export function storeSuite({ name, open }: StoreSuiteOptions): void {
  describe(`Q63 ${name}: commands and addresses`, () => {
    commandCases(open);
  });
  describe(`${name}: claims`, () => {
    claimCases(open);
  });
  describe(`${name}: answers, cancellation and broadcasts`, () => {
    endingCases(open);
  });
  describe(`${name}: wake-ups and the caller's own transactions`, () => {
    wakeUpCases(open);
  });
  describe(`${name}: reaper, retention, figures and migrations`, () => {
    upkeepCases(open);
  });
}
