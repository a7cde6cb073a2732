import { describe, expect, it } from "vitest";
import { allTransportCases } from "../src/all-cases.ts";
import { capabilityNames } from "../src/cases/capabilities.ts";
import { processCases } from "../src/cases/process.ts";
import { allChannelCases } from "../src/channel-suite.ts";
import { createFakeClock, requirementOf, requirements } from "../src/index.ts";
import { titleOf } from "../src/suite.ts";
import { serveOne } from "../src/transport-bench.ts";
import { memoryPair } from "./memory-pair.ts";

const cases = [...allChannelCases, ...allTransportCases, ...processCases];
const cited = new Set(cases.map((each) => each.id));
/** Requirements that sum up hostile inputs are proved by those. */
const umbrellas = new Set(requirements.map((each) => each.under));

describe("requirements", () => {
  it("proves every requirement that is marked as implemented by a case", () => {
    const bare = requirements.filter(
      (each) => each.later === undefined && !cited.has(each.id) && !umbrellas.has(each.id),
    );
    expect(bare.map((each) => each.id)).toEqual([]);
  });

  it("cites no requirement that is not in the table, and none that comes later", () => {
    const early = [...cited].filter((id) => requirementOf(id).later !== undefined);
    expect(early).toEqual([]);
    expect(() => requirementOf("C999")).toThrow("no requirement C999");
  });

  it("gives every id once, and a reason to everything that comes later", () => {
    expect(new Set(requirements.map((each) => each.id)).size).toBe(requirements.length);
    expect(requirements.filter((each) => each.later === "")).toEqual([]);
    expect(requirements.filter((each) => each.id.startsWith("C"))).toHaveLength(150);
  });

  it("has sentences as titles, each once", () => {
    const titles = cases.map((each) => titleOf(each));
    expect(new Set(titles).size).toBe(titles.length);
    expect(titles.filter((title) => !/^[CH]\d+ [a-z-]+: [a-z].{10,}[^.]$/.test(title))).toEqual([]);
  });

  it("names only capabilities that core has, and has a requirement for every one of them", async () => {
    const pair = await memoryPair({ handler: serveOne((input) => input), clock: createFakeClock() });
    const known = Object.keys(pair.transport.capabilities);
    await pair.close();
    const needed = new Set(requirements.flatMap((each) => each.needs.map((need) => need.capability)));
    expect([...needed].filter((name) => !known.includes(name))).toEqual([]);
    expect(known.filter((name) => !capabilityNames.includes(name as never))).toEqual([]);
    expect(capabilityNames.filter((name) => !needed.has(name))).toEqual([]);
  });
});
