import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RpcError } from "../src/index.ts";
import { StreamInbox } from "../src/tools/stream-inbox.ts";
import { settled } from "./fake-clock.ts";
import { all, failure } from "./rig.ts";

function rig(credits = 8) {
  const log = { taken: [] as number[], abandoned: 0 };
  const inbox = new StreamInbox(
    { taken: (count) => log.taken.push(count), abandoned: () => log.abandoned++, released: () => undefined },
    credits,
  );
  return { inbox, log };
}

describe("StreamInbox", () => {
  it("keeps the order and stays within its credits, however pushing and reading interleave", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.constantFrom("push", "next", "turn"), { maxLength: 200 }),
        async (window, steps) => {
          let credits = window;
          let pushed = 0;
          const got: unknown[] = [];
          const inbox = new StreamInbox(
            { taken: (count) => (credits += count), abandoned: () => undefined, released: () => undefined },
            window,
          );
          const reads: Promise<unknown>[] = [];
          for (const step of steps) {
            if (step === "push" && credits > 0) {
              credits--;
              inbox.push(++pushed);
            } else if (step === "next") {
              reads.push(inbox.next().then(({ done, value }) => done !== true && got.push(value)));
            } else {
              await settled();
            }
            // What was granted in all is never more than a window beyond what was read.
            expect(credits + pushed).toBeLessThanOrEqual(reads.length + window);
          }
          await settled();
          // A reader who is not served is owed credit: it cannot wait for ever.
          expect(credits > 0 || reads.length < pushed).toBe(true);
          inbox.end();
          got.push(...(await all(inbox)));
          await Promise.all(reads);
          expect(got).toEqual(Array.from({ length: pushed }, (_, i) => i + 1));
        },
      ),
      { numRuns: 200 },
    );
  });

  it("gives credit back in halves of its window", async () => {
    const { inbox, log } = rig(8);
    for (let i = 0; i < 8; i++) inbox.push(i);
    for (let i = 0; i < 8; i++) await inbox.next();
    expect(log.taken).toEqual([4, 4]);
  });

  it("gives no credit back once it has ended", async () => {
    const { inbox, log } = rig(2);
    inbox.push(1);
    inbox.push(2);
    inbox.end();
    expect(await all(inbox)).toEqual([1, 2]);
    expect(log.taken).toEqual([]);
  });

  it("delivers what is here before an error, then the error, then the end", async () => {
    const { inbox } = rig();
    inbox.push("last");
    inbox.end(new RpcError("ABORTED", "cut"));
    expect(await inbox.next()).toEqual({ done: false, value: "last" });
    expect(await failure(inbox.next())).toMatchObject({ code: "ABORTED" });
    expect(await inbox.next()).toEqual({ done: true, value: undefined });
  });

  it("gives an error to the first of several readers, and the end to the others", async () => {
    const { inbox } = rig();
    const reads = [inbox.next(), inbox.next(), inbox.next()];
    inbox.end(new RpcError("ABORTED", "cut"));
    const results = await Promise.allSettled(reads);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
    expect(await inbox.next()).toMatchObject({ done: true });
  });

  it("keeps its first end", async () => {
    const { inbox } = rig();
    inbox.end();
    inbox.end(new RpcError("ABORTED", "late"));
    inbox.push("late");
    expect(await all(inbox)).toEqual([]);
  });

  it("tells its owner once when the reader leaves early", async () => {
    const { inbox, log } = rig();
    inbox.push(1);
    inbox.push(2);
    for await (const item of inbox) if (item === 1) break;
    await inbox.return();
    expect(log.abandoned).toBe(1);
    expect(await inbox.next()).toMatchObject({ done: true });
  });

  it("does not call a reader who came to the end one who left", async () => {
    const { inbox, log } = rig();
    inbox.end();
    await all(inbox);
    await inbox.return();
    expect(log.abandoned).toBe(0);
  });

  it("ends a read that waits when the reader leaves", async () => {
    const { inbox } = rig();
    const waiting = inbox.next();
    await inbox.return();
    expect(await waiting).toMatchObject({ done: true });
  });
});
