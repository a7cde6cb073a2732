import { randomUUID } from "node:crypto";

/*
 * ZeroMQ does not say when a subscription is in effect. A forwarder of ours answers one that no event can have: a topic that begins with
 * NUL. Subscriptions of a connection are read in their order, so whoever was sent the answer has all that came before it in effect. The
 * same question asks for the last values: only who asked is subscribed to the topic that they are sent to. Other forwarders stay silent.
 */

const PREFIX = "\0rpc?";
const MOST_BYTES = 4_096;

interface Probe {
  readonly n: string;
  /** Beginnings of the ids whose last values are asked for. */
  readonly last?: readonly string[];
}

/** The topic to subscribe to for the answer. `last`: also asks for the last value of what begins so. */
export function writeProbe(last: readonly string[] | undefined): Buffer {
  const probe: Probe = { n: randomUUID(), ...(last === undefined ? {} : { last }) };
  return Buffer.from(PREFIX + JSON.stringify(probe));
}

/** The beginnings that a probe asks for; undefined: the topic is none. */
export function readProbe(topic: Uint8Array): readonly string[] | undefined {
  if (topic[0] !== 0 || topic.length > MOST_BYTES) return undefined;
  const text = Buffer.from(topic).toString();
  if (!text.startsWith(PREFIX)) return undefined;
  try {
    const { last } = JSON.parse(text.slice(PREFIX.length)) as Partial<Probe>;
    return Array.isArray(last) ? last.filter((each) => typeof each === "string") : [];
  } catch {
    return undefined;
  }
}
