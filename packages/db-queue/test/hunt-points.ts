import type { QueueStore } from "../src/store/store.ts";

/** Called before and after each verb of whoever uses the store: nothing of it goes on before this settles. */
export type AtPoint = (point: string) => Promise<void>;

/** The same store, which stops at each point where something else can come between. */
export function stoppedAtPoints(store: QueueStore, at: AtPoint): QueueStore {
  return new Proxy(store, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function" || typeof name !== "string") return member;
      const call = (given: readonly unknown[]): unknown => Reflect.apply(member, target, given);
      if (name === "watch")
        return (...given: unknown[]): unknown => {
          const watch = call(given) as ReturnType<QueueStore["watch"]>;
          return { ...watch, ready: watch.ready.then(() => at("after watch")) };
        };
      return async (...given: unknown[]): Promise<unknown> => {
        await at(`before ${name}`);
        const result = await call(given);
        await at(`after ${name}`);
        return result;
      };
    },
  });
}

/** Does something at the so-many-th point, once, and counts all. */
export class Ambush {
  count = 0;
  readonly passed: string[] = [];
  readonly #place: number;
  readonly #strike: () => Promise<void>;

  constructor(place: number, strike: () => Promise<void>) {
    this.#place = place;
    this.#strike = strike;
  }

  readonly at = async (point: string): Promise<void> => {
    const here = this.count;
    this.count += 1;
    this.passed.push(point);
    if (here === this.#place) await this.#strike();
  };
}
