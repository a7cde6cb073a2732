import {
  type Contract,
  defineContract,
  event,
  type MethodDefinition,
  type NoErrors,
  type StandardSchema,
  type Subscription,
  type TopicEvent,
  type TopicGap,
} from "@rpc/core";
import { fail } from "../assert.ts";
import { whole } from "../shapes.ts";

type Plain = MethodDefinition<"event", undefined, undefined, undefined, NoErrors>;

/** What the cases publish. */
export const News: Contract<{
  readonly told: Plain;
  readonly other: Plain;
  readonly kept: Plain;
  readonly counted: MethodDefinition<"event", undefined, StandardSchema<number>, undefined, NoErrors>;
}> = defineContract("testkit.News", {
  told: event(),
  other: event(),
  kept: event({ lastValue: true }),
  counted: event({ payload: whole }),
});

/** Whoever reads everything must not lose anything to a policy. */
export const ALL: { readonly overflow: "block" } = { overflow: "block" };

/** The value after which a reader leaves. */
export const END: string = "the last one";

/** The next values; then it leaves. */
export async function take<T>(values: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  for await (const value of values) {
    taken.push(value);
    if (taken.length === count) return taken;
  }
  return fail(`the subscription ended after ${taken.length} of ${count}`);
}

/** The next events and gaps; then it leaves. */
function takeAny(sub: Subscription<unknown>, count: number): Promise<(TopicEvent<unknown> | TopicGap)[]> {
  return take(sub.events, count);
}

/** The next events; a gap fails the case. */
export async function takeEvents(sub: Subscription<unknown>, count: number): Promise<TopicEvent<unknown>[]> {
  const taken = await takeAny(sub, count);
  return taken.map((each) => (each.kind === "event" ? each : fail("a gap was reported")));
}

/** Events and gaps before the last one. */
export async function eventsUntilEnd(sub: Subscription<unknown>): Promise<(TopicEvent<unknown> | TopicGap)[]> {
  const seen: (TopicEvent<unknown> | TopicGap)[] = [];
  for await (const each of sub.events) {
    if (each.kind === "event" && each.value === END) return seen;
    seen.push(each);
  }
  return fail("the subscription ended before its last event");
}

/** Values before the last one. */
export async function valuesUntilEnd(sub: Subscription<unknown>): Promise<unknown[]> {
  const seen: unknown[] = [];
  for await (const value of sub) {
    if (value === END) return seen;
    seen.push(value);
  }
  return fail("the subscription ended before its last event");
}
