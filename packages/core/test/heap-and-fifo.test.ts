import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Fifo } from "../src/tools/fifo.ts";
import { Heap } from "../src/tools/heap.ts";

interface Member {
  rank: number;
  index: number;
}

/** A heap beside a list that does the same by looking at all of its members. */
class HeapModel {
  readonly heap = new Heap<Member>(
    (a, b) => a.rank < b.rank,
    (member, index) => void (member.index = index),
    (member) => member.index,
  );
  readonly members: Member[] = [];

  get ranks(): number[] {
    return this.members.map(({ rank }) => rank).toSorted((a, b) => a - b);
  }

  /** Gives the ranks that left, in the heap and in the list. */
  take(what: "push" | "shift" | "delete" | "move", rank: number, at: number): (number | undefined)[] {
    const member = this.members[at % Math.max(1, this.members.length)];
    if (what === "push") {
      const added = { rank, index: -1 };
      this.members.push(added);
      this.heap.push(added);
    } else if (what === "shift") {
      const [due] = this.ranks;
      const first = this.heap.shift();
      if (first !== undefined) this.members.splice(this.members.indexOf(first), 1);
      return [first?.rank, due];
    } else if (member !== undefined && what === "delete") {
      this.members.splice(this.members.indexOf(member), 1);
      this.heap.delete(member);
      this.heap.delete(member);
      return [this.heap.has(member) ? member.rank : undefined, undefined];
    } else if (member !== undefined) {
      member.rank = rank;
      this.heap.moved(member);
    }
    return [undefined, undefined];
  }
}

describe("Heap", () => {
  it("gives its members in order, whoever leaves or moves meanwhile", () => {
    const step = fc.tuple(fc.constantFrom("push", "push", "shift", "delete", "move"), fc.nat(50), fc.nat());
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const model = new HeapModel();
        for (const [what, rank, at] of steps) {
          const [left, due] = model.take(what, rank, at);
          expect(left).toBe(due);
          const { heap, ranks } = model;
          expect([heap.size, heap.first?.rank, heap.second?.rank]).toEqual([ranks.length, ranks[0], ranks[1]]);
        }
      }),
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
          const shifted = value === null ? fifo.shift() : fifo.push(value);
          expect(shifted).toBe(value === null ? model.shift() : void model.push(value));
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
