import { describe } from "vitest";
import { openRemoteRig } from "./remote-rig.ts";
import { claimCases } from "./store-suite-claims.ts";
import { commandCases } from "./store-suite-commands.ts";
import { endingCases } from "./store-suite-endings.ts";
import { wakeUpCases } from "./store-suite-wake-ups.ts";

describe("remote: commands and addresses", () => {
  commandCases(openRemoteRig);
});
describe("remote: claims", () => {
  claimCases(openRemoteRig);
});
describe("remote: answers, cancellation and broadcasts", () => {
  endingCases(openRemoteRig);
});
describe("remote: wake-ups", () => {
  wakeUpCases(openRemoteRig);
});
