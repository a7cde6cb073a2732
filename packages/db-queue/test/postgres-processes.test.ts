import { fork } from "node:child_process";
import { expect, it } from "vitest";
import { openPostgresRig } from "./postgres-rig.ts";
import { inserted, subscribed } from "./store-rig.ts";

it("Q10 H179 gives 8000 commands to eight processes, each to one", { timeout: 60_000 }, async () => {
  const rig = await openPostgresRig();
  try {
    await subscribed(rig.store);
    const ids: number[] = [];
    for (let i = 0; i < 8; i += 1)
      ids.push(...(await inserted(rig.store, ...Array.from({ length: 1000 }, () => ({})))));
    const drained = await Promise.all(
      Array.from(
        { length: 8 },
        (_, i) =>
          new Promise<number[]>((resolve, reject) => {
            const child = fork(new URL("postgres-process.ts", import.meta.url), ["drain", rig.url, `agent${i}`]);
            child.once("message", (message) => {
              resolve(message as number[]);
            });
            child.once("exit", (code) => {
              reject(new Error(`exit ${String(code)}`));
            });
          }),
      ),
    );
    expect(drained.flat().toSorted((a, b) => a - b)).toEqual(ids);
    expect(
      await rig.query("SELECT state, count(*)::int, max(attempts) AS tries FROM rpc_command GROUP BY state"),
    ).toEqual([{ state: "done", count: 8000, tries: 1 }]);
  } finally {
    await rig.close();
  }
});
