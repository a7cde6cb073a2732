/** Pins what a user's compiler infers of events, jobs and broadcasts. Nothing here runs; `tsc -p test` proves it. */
import { expectTypeOf } from "vitest";
import { z } from "zod";
import {
  type BroadcastReport,
  type Consumer,
  createClient,
  createRouter,
  defineContract,
  event,
  type Handler,
  job,
  type JobContext,
  type Listener,
  notification,
  type PeerReply,
  type PublishReport,
  routerMember,
  type Subscription,
  type Ticket,
  type TopicEvent,
  type TopicGap,
  type Transport,
  unary,
  workQueue,
} from "../src/index.ts";

declare const transport: Transport;
declare const listener: Listener;

const Bot = defineContract("test.Bot", {
  states: event({ payload: z.object({ at: z.coerce.date() }) }),
  jobs: job({ input: z.string().transform((text) => text.length), output: z.coerce.date() }),
  call: event({ payload: z.number() }),
  ping: unary({ input: z.number(), output: z.literal("pong") }),
  hello: unary({ output: z.string() }),
  wake: notification({ input: z.object({ reason: z.string() }) }),
});
const bot = createClient(Bot, transport);

// ---- what a client has

const sub = bot.states.subscribe({ pattern: "a.*", overflow: "block" });
expectTypeOf(sub).toEqualTypeOf<Subscription<{ at: Date }>>();
expectTypeOf(sub.events).toEqualTypeOf<AsyncIterable<TopicEvent<{ at: Date }> | TopicGap>>();
bot.states.subscribe({}, (value, one) => {
  expectTypeOf(value).toEqualTypeOf<{ at: Date }>();
  expectTypeOf(one).toEqualTypeOf<TopicEvent<{ at: Date }>>();
});
// @ts-expect-error -- there is no such policy
bot.states.subscribe({ overflow: "explode" });
// @ts-expect-error -- only who serves an event publishes it
bot.states.publish({ at: new Date() });

expectTypeOf(bot.jobs.submit("abc", { priority: 5 })).toEqualTypeOf<Promise<Ticket<Date>>>();
// @ts-expect-error -- the input has the wrong type
void bot.jobs.submit(5);
expectTypeOf(
  bot.jobs.consume({
    handle: (input, context) => {
      expectTypeOf(input).toEqualTypeOf<number>();
      expectTypeOf(context).toEqualTypeOf<JobContext>();
      return new Date();
    },
  }),
).toEqualTypeOf<Consumer>();

// ---- what a router has

const router = createRouter(Bot, {
  jobs: workQueue({
    deadLetter: (lost, error) => {
      expectTypeOf(lost.attempts).toEqualTypeOf<number>();
      expectTypeOf(error.message).toEqualTypeOf<string>();
    },
    local: { concurrency: 2, handle: (length: number) => new Date(length) },
  }),
  ping: () => "pong",
  hello: () => "hi",
  wake: () => undefined,
});
expectTypeOf(router).toExtend<Handler>();
expectTypeOf(router.states.publish({ at: new Date() }, { topic: "a.b" })).toEqualTypeOf<Promise<PublishReport>>();
expectTypeOf(router.jobs.submit("abc")).toEqualTypeOf<Promise<Ticket<Date>>>();
// @ts-expect-error -- the payload has the wrong type
void router.states.publish({ at: Symbol("no") }, 5);
// A handler's own member keeps its meaning; the event of that name is had by its method.
expectTypeOf(router.call).toEqualTypeOf<Handler["call"]>();
expectTypeOf(routerMember(router, Bot.call).publish(5)).toEqualTypeOf<Promise<PublishReport>>();
// @ts-expect-error -- a unary method is neither event nor job
routerMember(router, Bot.ping);
// @ts-expect-error -- a unary method is called, not published
void router.ping;

// ---- all peers at once

expectTypeOf(listener.peers.broadcast(Bot.wake, { reason: "x" }, { ack: true })).toEqualTypeOf<BroadcastReport>();
expectTypeOf(listener.peers.callAll(Bot.ping, 5)).toEqualTypeOf<AsyncIterable<PeerReply<"pong">>>();
expectTypeOf(listener.peers.callAll(Bot.hello)).toEqualTypeOf<AsyncIterable<PeerReply<string>>>();
// @ts-expect-error -- the input is missing
listener.peers.broadcast(Bot.wake);
// @ts-expect-error -- a unary method has an answer: call it
listener.peers.broadcast(Bot.ping, 5);
// @ts-expect-error -- the input has the wrong type
listener.peers.callAll(Bot.ping, "five");
