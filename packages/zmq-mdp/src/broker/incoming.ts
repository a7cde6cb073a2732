import type { AtBroker } from "../frames/at-broker.ts";
import { timeoutFrameOf } from "../frames/timeout-frame.ts";
import { looksLikeAction } from "./answers.ts";
import type { BrokerEvents } from "./events.ts";
import type { Door, Request, Service } from "./roster.ts";
import type { ResolvedSettings } from "./settings.ts";

type ClientRequest = Extract<AtBroker, { kind: "client" }>;

/** A caller that says it waits for longer than a day is taken for one that has not said. */
const LONGEST_PATIENCE_MS = 86_400_000;
/** A caller hears that nobody came before it stops listening: by this part of its patience, and by so much at most. */
const EARLY_PART = 0.1;
const MOST_EARLY_MS = 100;

/** Makes a request of a client's message. `order` counts up; `question`: it is for the broker itself. */
export function incomingRequest(
  door: Door,
  frames: readonly Buffer[],
  client: Buffer,
  seen: ClientRequest,
  bytes: number,
  service: Service,
  question: boolean,
  order: number,
  all: ResolvedSettings,
  events: BrokerEvents,
): Request {
  const { settings } = service;
  const rule = seen.version === "0.1" ? settings.timeoutFrame01 : settings.timeoutFrame02;
  const patience = timeoutFrameOf(frames, seen.bodyAt, rule, question || service.internal);
  const bodyAt = patience === undefined ? seen.bodyAt : seen.bodyAt + 1;
  const now = all.clock.now();
  const limited = patience !== undefined && patience > 0 && patience <= LONGEST_PATIENCE_MS;
  const deadline = limited ? now + patience : Number.POSITIVE_INFINITY;
  const { errorReplies } = all;
  const wantsError =
    errorReplies === "domogik" ||
    (errorReplies === "auto" && (patience !== undefined || seen.version === "0.2" || looksLikeAction(frames, bodyAt)));
  // Whoever is told nothing may as well wait to the end.
  const answerBy = limited && wantsError ? deadline - Math.min(patience * EARLY_PART, MOST_EARLY_MS) : deadline;
  return {
    service,
    door,
    client,
    version: seen.version,
    frames,
    envelopeAt: seen.envelopeAt,
    envelopeCount: seen.envelopeCount,
    bodyAt,
    bytes,
    arrivedAt: now,
    deadline,
    answerBy,
    expiresAt: limited ? answerBy : now + (service.offered ? settings.requestTtlMs : all.unknownServiceTtlMs),
    priority: settings.priority === undefined ? 0 : priorityOf(service, frames, bodyAt, events),
    order,
    wantsError,
    attempts: 0,
    begun: false,
    failed: false,
    isCut: false,
    collected: undefined,
  };
}

function priorityOf(service: Service, frames: readonly Buffer[], bodyAt: number, events: BrokerEvents): number {
  try {
    const priority = service.settings.priority?.({ service: service.name, body: frames.slice(bodyAt) }) ?? 0;
    return Number.isNaN(priority) ? 0 : priority;
  } catch (thrown) {
    events.log(() => `priority of ${service.name} threw: ${String(thrown)}`);
    return 0;
  }
}
