import { createRouter, type TopicGap } from "@rpc/core";
import { equal, rejects, setAside } from "../assert.ts";
import { collect, passing, until } from "../gate.ts";
import {
  clientOf,
  proves,
  type TransportBench,
  type TransportCase,
  type TransportPair,
  WITHOUT_RESUME,
} from "../transport-bench.ts";
import { range } from "./bytes.ts";
import { needed } from "./lifecycle.ts";
import { ALL, END, eventsUntilEnd, News } from "./news.ts";
import { firstPeer, quiet } from "./pattern-ends.ts";

/** C97: subscriptions outlive their connections. */
export const resubscribeCases: readonly TransportCase[] = [
  proves("C97", "brings subscriptions back after the connection was lost, and reports the gap", async (bench) => {
    const both = await lasting(bench);
    for (const _ of range(3)) {
      await needed(both.pair.cut, "cut")();
      await both.comeBack();
    }
    both.provesGaps(3);
    await both.close();
  }),

  proves("C97", "brings subscriptions back after a restart of the server", async (bench) => {
    const both = await lasting(bench);
    for (const _ of range(2)) {
      await needed(both.pair.restart, "restart")();
      await both.comeBack();
    }
    both.provesGaps(2);
    await both.close();
  }),

  proves("C97", "ends a subscription that is not to go on, as lost and not as complete", async (bench) => {
    const router = createRouter(News, {}, { clock: bench.clock });
    const pair = await bench.connect(router, WITHOUT_RESUME);
    const sub = clientOf(bench, News, pair.transport).told.subscribe({ resubscribe: false });
    await sub.ready;
    const reading = rejects(collect(sub), { code: "UNAVAILABLE" }, "reader of a lost subscription");
    await needed(pair.cut, "cut")();
    await passing(bench.clock, reading, "the reader learns of the loss");
  }),

  proves("C97", "ends a server's subscription with the client that it was made at", async (bench) => {
    if (typeof bench.capabilities.duplex !== "string") setAside("duplex is declared a gap");
    const router = createRouter(News, {}, { clock: bench.clock });
    const pair = await bench.connect(quiet, { ...WITHOUT_RESUME, serve: router });
    const sub = (await firstPeer(pair)).client(News).told.subscribe();
    await sub.ready;
    const reading = rejects(collect(sub), { code: "UNAVAILABLE" }, "reader of a lost subscription");
    await needed(pair.cut, "cut")();
    await passing(bench.clock, reading, "the reader learns of the loss");
    await until(() => router.told.subscriberCount === 0, "the client learns that nobody reads");
  }),

  proves("C97", "loses no event and reports no gap when the session outlives the connection", async (bench) => {
    if (typeof bench.capabilities.resume !== "string") setAside("resume is declared a gap");
    const router = createRouter(News, {}, { clock: bench.clock });
    const pair = await bench.connect(router);
    const gaps: TopicGap[] = [];
    const sub = clientOf(bench, News, pair.transport).told.subscribe({ ...ALL, onGap: (gap) => gaps.push(gap) });
    await sub.ready;
    const reader = eventsUntilEnd(sub);
    const publishing = (async () => {
      for (const n of range(200)) {
        if (n % 50 === 25) await needed(pair.cut, "cut")();
        await router.told.publish(n);
      }
      await router.told.publish(END);
    })();
    await passing(bench.clock, Promise.all([publishing, reader]), "all events arrive");
    equal(
      (await reader).map((each) => (each.kind === "event" ? each.value : each.kind)),
      range(200),
      "events and gaps",
    );
  }),
];

interface Lasting {
  readonly pair: TransportPair;
  /** Lets time pass until both are subscribed again and have heard an event that is published then. */
  comeBack(): Promise<void>;
  provesGaps(losses: number): void;
  close(): Promise<void>;
}

/** Subscribed in both forms, without sessions that outlive their connections. */
async function lasting(bench: TransportBench): Promise<Lasting> {
  if (typeof bench.capabilities.reconnect !== "string") setAside("reconnect is declared a gap");
  const router = createRouter(News, {}, { clock: bench.clock });
  const pair = await bench.connect(router, WITHOUT_RESUME);
  const client = clientOf(bench, News, pair.transport);
  const heard: unknown[] = [];
  const read: unknown[] = [];
  const saw = (gap: TopicGap): string => `${gap.kind} ${gap.reason.code}`;
  const sub = client.told.subscribe(ALL);
  const listening = client.told.subscribe(
    { ...ALL, onGap: (gap) => heard.push(saw(gap)) },
    (value) => void heard.push(value),
  );
  await Promise.all([sub.ready, listening.ready]);
  const reading = (async () => {
    for await (const each of sub.events) read.push(each.kind === "event" ? each.value : saw(each));
  })();
  let published = 0;
  const publish = async (): Promise<void> => {
    const n = published;
    published += 1;
    await router.told.publish(n);
    await until(() => heard.includes(n) && read.includes(n), "both hear the event");
  };
  await publish();
  return {
    pair,
    comeBack: async () => {
      const gaps = (seen: readonly unknown[]): number => seen.filter((each) => typeof each === "string").length;
      const areBack = until(() => gaps(heard) === published && gaps(read) === published, "both are subscribed again");
      await passing(bench.clock, areBack, "both are subscribed again");
      await publish();
    },
    provesGaps: (losses) => {
      const due = range(2 * losses + 1).map((n) => (n % 2 === 0 ? n / 2 : "gap UNAVAILABLE"));
      equal([read, heard], [due, due], "events and gaps, read and listened to");
    },
    close: async () => {
      await Promise.all([sub.close(), listening.close()]);
      await reading;
    },
  };
}
