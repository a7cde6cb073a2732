import { expect, it } from "vitest";
import { GivenUp } from "../src/agent/given-up.ts";
import type { Outcome } from "../src/store/store-words.ts";
import { turns } from "./agent-rig.ts";

it("keeps what is still claimed, and no more: rows of commands that were given up end with their leases", async () => {
  const claimed = new Set<number>();
  let isAway = false;
  const outcomes = async (ids: readonly number[]): Promise<readonly (Outcome | undefined)[]> => {
    if (isAway) throw new Error("away");
    return ids.map((id) =>
      id % 7 === 0
        ? undefined
        : { id, state: claimed.has(id) ? "claimed" : "failed", result: undefined, error: undefined },
    );
  };
  const givenUp = new GivenUp({ outcomes });
  const count = (): number => [...givenUp.tokens].length;
  const add = async (from: number, to: number): Promise<void> => {
    for (let id = from; id <= to; id++) {
      claimed.add(id);
      givenUp.add({ id, token: `t${id}` });
      await turns(1);
      if (id > 150) claimed.delete(id - 150);
    }
  };
  isAway = true;
  await add(1, 150);
  expect(count()).toBe(150);
  isAway = false;
  await add(151, 2000);
  expect(count()).toBeLessThan(600);
  expect([...givenUp.tokens]).toEqual(
    expect.arrayContaining([...claimed].filter((id) => id % 7 !== 0).map((id) => `t${id}`)),
  );
});
