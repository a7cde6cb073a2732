import { randomUUID } from "node:crypto";

/*
 * ZeroMQ does not say when a subscription is in effect. A forwarder of ours answers one that no event can have: a topic that begins with
 * NUL. Subscriptions of a connection are read in their order, so whoever was sent the answer has all that came before it in effect. The
 * same question asks for the last values: only who asked is subscribed to the topic that they are sent to. They come in pages, each of which is
 * asked for, because ZeroMQ drops in silence what goes beyond a subscriber's queue. Other forwarders stay silent.
 */

const PREFIX = "\0rpc?";
const MOST_BYTES = 4_096;

interface Probe {
  readonly n: string;
  /** Beginnings of the ids whose last values are asked for. */
  readonly last?: readonly string[];
  /** Where the page before ended. */
  readonly after?: string;
}

/** What a probe asks for: the last values of what begins so, from a page's end on; none without beginnings. */
export interface Asked {
  readonly last: readonly string[];
  /** Which values came before, and which are to come at most; undefined: the first page. */
  readonly after: { readonly seen: number; readonly until: number } | undefined;
}

/** The topic to subscribe to for the answer. `last`: also asks for the last value of what begins so; `after`: for the next page of them. */
export function writeProbe(last: readonly string[] | undefined, after?: string): Buffer {
  const probe: Probe = {
    n: randomUUID(),
    ...(last === undefined ? {} : { last }),
    ...(after === undefined ? {} : { after }),
  };
  return Buffer.from(PREFIX + JSON.stringify(probe));
}

/** Undefined: the topic is no probe. */
export function readProbe(topic: Uint8Array): Asked | undefined {
  if (topic[0] !== 0 || topic.length > MOST_BYTES) return undefined;
  const text = Buffer.from(topic).toString();
  if (!text.startsWith(PREFIX)) return undefined;
  try {
    const { last, after } = JSON.parse(text.slice(PREFIX.length)) as Partial<Probe>;
    const [, seen, until] = /^(\d{1,15})-(\d{1,15})$/.exec(String(after)) ?? [];
    return {
      last: Array.isArray(last) ? last.filter((each) => typeof each === "string") : [],
      after: seen === undefined ? undefined : { seen: Number(seen), until: Number(until) },
    };
  } catch {
    return undefined;
  }
}
