import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Fifo } from "../src/tools/fifo.ts";
import { Heap } from "../src/tools/heap.ts";

describe("Heap", () => {
  it("gives its members in order, whoever leaves or moves meanwhile", () => {
    interface Member {
      rank: number;
      index: number;
    }
    const byRank = (a: Member, b: Member): boolean => a.rank < b.rank;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom("push", "push", "shift", "delete", "move"), fc.nat(50), fc.nat()), {
          maxLength: 100,
        }),
        (steps) => {
          const heap = new Heap<Member>(
            byRank,
            (member, index) => void (member.index = index),
            (member) => member.index,
          );
          const model: Member[] = [];
          const ranks = (): number[] => model.map(({ rank }) => rank).toSorted((a, b) => a - b);
          for (const [what, rank, at] of steps) {
            const member = model[at % Math.max(1, model.length)];
            if (what === "push") {
              const added = { rank, index: -1 };
              model.push(added);
              heap.push(added);
            } else if (what === "shift") {
              const first = heap.shift();
              expect(first?.rank).toBe(ranks()[0]);
              if (first !== undefined) model.splice(model.indexOf(first), 1);
            } else if (member !== undefined && what === "delete") {
              model.splice(model.indexOf(member), 1);
              heap.delete(member);
              heap.delete(member);
              expect(heap.has(member)).toBe(false);
            } else if (member !== undefined) {
              member.rank = rank;
              heap.moved(member);
            }
            expect([heap.size, heap.first?.rank, heap.second?.rank]).toEqual([model.length, ranks()[0], ranks()[1]]);
          }
          expect(heap.clear()).toHaveLength(model.length);
          expect(model.every(({ index }) => index === -1)).toBe(true);
        },
      ),
    );
  });
});

describe("Fifo", () => {
  it("keeps the order", () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat()), { maxLength: 200 }), (steps) => {
        const fifo = new Fifo<number>();
        const model: number[] = [];
        for (const value of steps) {
          if (value === null) expect(fifo.shift()).toBe(model.shift());
          else {
            fifo.push(value);
            model.push(value);
          }
          expect([fifo.length, fifo.first]).toEqual([model.length, model[0]]);
        }
      }),
    );
  });

  it("lets go of the room that a burst took", () => {
    const fifo = new Fifo<number>();
    for (let i = 0; i < 5_000; i++) fifo.push(i);
    for (let i = 0; i < 5_000; i++) expect(fifo.shift()).toBe(i);
    fifo.push(1);
    expect(fifo.shift()).toBe(1);
  });
});
