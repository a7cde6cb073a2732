import { type Clock, RpcError } from "@rpc/core";
import type {
  CallContext,
  CarriedEvent,
  EventSink,
  EventSource,
  MetadataEntries,
  SubscribeRequest,
  TopicPort,
} from "@rpc/core/transport";
import { valueOf } from "../calls/body.ts";
import { refused } from "../calls/errors.ts";
import { ownMember, readEntries } from "../calls/meta.ts";
import type { MdpCredentials } from "../link/credentials.ts";
import { createMdpSubscriber, type MdpEvent, type MdpSubscriber } from "./subscriber.ts";

export interface TopicPortOptions {
  readonly credentials: MdpCredentials | undefined;
  readonly clock: Clock;
  readonly linkHeartbeatMs: number;
  readonly maxMetadataBytes: number;
}

/** Subscriptions to the events of contracts, at a forwarder. Each has a connection of its own, so that a slow one holds up nobody. */
export class ForwarderTopicPort implements TopicPort {
  /** What is lost with its connection may be made again. */
  readonly lasting = true;
  readonly #endpoint: string;
  readonly #options: TopicPortOptions;
  readonly #open = new Set<ForwarderSource>();

  constructor(endpoint: string, options: TopicPortOptions) {
    this.#endpoint = endpoint;
    this.#options = options;
  }

  subscribe(request: SubscribeRequest, context: CallContext, sink: EventSink): EventSource {
    const source = new ForwarderSource(this.#endpoint, this.#options, request, context, sink, (closed) =>
      this.#open.delete(closed),
    );
    this.#open.add(source);
    context.onCancel({ cancelled: (reason) => source.end(reason) });
    return source;
  }

  close(): void {
    const reason = new RpcError("UNAVAILABLE", "the transport was closed", { reason: "CLOSED" });
    for (const source of this.#open) source.end(reason);
  }
}

const DEFAULT_BUFFER = 1_000;
const MOST_BUFFER = 10_000;
const POLICIES: ReadonlySet<string> = new Set(["drop-oldest", "drop-newest", "disconnect"]);

interface Waiting {
  readonly event: CarriedEvent;
  lost: number;
}

/** One subscription. What its reader has no credit for waits here: a publisher behind a forwarder does not know its subscribers. */
class ForwarderSource implements EventSource {
  readonly #endpoint: string;
  readonly #options: TopicPortOptions;
  readonly #request: SubscribeRequest;
  readonly #context: CallContext;
  readonly #sink: EventSink;
  readonly #closedOne: (source: ForwarderSource) => void;
  readonly #pattern: readonly string[];
  readonly #buffer: number;
  readonly #waiting: Waiting[] = [];
  #subscriber: MdpSubscriber | undefined = undefined;
  #credits = 0;
  #lost = 0;
  #isReady = false;
  #isSending = false;
  #isClosed = false;

  constructor(
    endpoint: string,
    options: TopicPortOptions,
    request: SubscribeRequest,
    context: CallContext,
    sink: EventSink,
    closedOne: (source: ForwarderSource) => void,
  ) {
    const { name } = context.method;
    const { buffer = DEFAULT_BUFFER, overflow, pattern = "**" } = request;
    if (overflow === "block")
      throw new RpcError("FAILED_PRECONDITION", `${name}: nobody behind a forwarder can hold up a publisher`, {
        reason: "policies",
      });
    if (overflow !== undefined && !POLICIES.has(overflow))
      throw refused(`${name}: overflow must be ${[...POLICIES].join(", ")}, got ${JSON.stringify(overflow)}`);
    if (!Number.isInteger(buffer) || buffer < 1)
      throw refused(`${name}: buffer must be a whole number from 1 on, got ${String(buffer)}`);
    if (buffer > MOST_BUFFER)
      throw new RpcError("RESOURCE_EXHAUSTED", `${name}: buffer must be at most ${MOST_BUFFER}, got ${buffer}`, {
        reason: "maxTopicBuffer",
      });
    this.#endpoint = endpoint;
    this.#options = options;
    this.#request = request;
    this.#context = context;
    this.#sink = sink;
    this.#closedOne = closedOne;
    this.#pattern = patternLevels(pattern, name);
    this.#buffer = buffer;
  }

  open(credits: number): void {
    if (this.#isClosed || this.#subscriber !== undefined) return;
    this.#credits += credits;
    const { name } = this.#context.method;
    const { credentials, clock, linkHeartbeatMs } = this.#options;
    const subscriber = createMdpSubscriber(this.#endpoint, {
      filters: [name],
      lastValues: this.#request.lastValue,
      credentials,
      clock,
      linkHeartbeatMs,
      onEvent: (event) => this.#take(event),
      onGap: () =>
        this.end(
          new RpcError("UNAVAILABLE", `${name}: the connection to ${this.#endpoint} is lost`, { reason: "PEER_LOST" }),
        ),
    });
    this.#subscriber = subscriber;
    subscriber.ready.then(
      () => {
        if (this.#isClosed) return;
        this.#isReady = true;
        this.#sink.subscribed();
        this.#send();
      },
      (thrown: unknown) => this.end(RpcError.from(thrown)),
    );
  }

  grant(credits: number): void {
    this.#credits += credits;
    this.#send();
  }

  resume(): void {
    this.#send();
  }

  // What its reader holds is its reader's business, and so is what goes wrong there.
  release(): void {
    return undefined;
  }

  report(): void {
    return undefined;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closedOne(this);
    void this.#subscriber?.close();
  }

  /** Ends it from this side. */
  end(reason: RpcError): void {
    if (this.#isClosed) return;
    this.close();
    this.#sink.ended(reason);
  }

  #take({ category, content, id }: MdpEvent): void {
    const { method } = this.#context;
    // A filter is a beginning: `news.told` is not `news.toldlater`.
    if (category !== method.name && !category.startsWith(`${method.name}.`)) return;
    const subTopic = category.slice(method.name.length + 1);
    if (!matches(this.#pattern, subTopic === "" ? [] : subTopic.split("."))) return;
    let event: CarriedEvent;
    try {
      const metadata = metadataIn(content, this.#options.maxMetadataBytes);
      event = { topic: category, value: valueOf(method.output, valueIn(content)), metadata, bytes: id.length };
    } catch {
      this.#lost += 1;
      return;
    }
    if (this.#waiting.length >= this.#buffer && !this.#makeRoom()) return;
    const lost = this.#lost;
    this.#lost = 0;
    this.#waiting.push({ event, lost });
    this.#send();
  }

  /** Does what the policy says when the buffer is full; false: the new event is left out. */
  #makeRoom(): boolean {
    switch (this.#request.overflow) {
      case "disconnect": {
        const text = `${this.#context.method.name}: the subscriber does not keep up: ${this.#buffer} events wait for it`;
        this.end(new RpcError("RESOURCE_EXHAUSTED", text, { reason: "overflow" }));
        return false;
      }
      case "drop-newest":
        this.#lost += 1;
        return false;
      default: {
        const dropped = this.#waiting.shift();
        const next = this.#waiting[0];
        const lost = (dropped?.lost ?? 0) + 1;
        if (next === undefined) this.#lost += lost;
        else next.lost += lost;
        return true;
      }
    }
  }

  #send(): void {
    if (this.#isSending || !this.#isReady) return;
    this.#isSending = true;
    try {
      while (this.#credits > 0 && !this.#isClosed && this.#sink.writable) {
        const next = this.#waiting.shift();
        if (next === undefined) return;
        this.#credits -= 1;
        this.#sink.event(next.event, next.lost);
      }
    } finally {
      this.#isSending = false;
    }
  }
}

/** The JSON of an event's value: the member `value`, where there is nothing else, or all that a foreign publisher sent. */
function valueIn(content: unknown): unknown {
  if (typeof content !== "object" || content === null || !Object.hasOwn(content, "value")) return content;
  const others = Object.keys(content).filter((key) => key !== "value" && key !== "$meta");
  return others.length === 0 ? ownMember(content, "value") : content;
}

function metadataIn(content: unknown, maxBytes: number): MetadataEntries | undefined {
  if (typeof content !== "object" || content === null) return undefined;
  const meta = ownMember(content, "$meta");
  if (typeof meta !== "object" || meta === null) return undefined;
  const metadata = readEntries(ownMember(meta, "metadata"), maxBytes);
  return metadata === undefined ? undefined : [...metadata];
}

function patternLevels(pattern: string, name: string): readonly string[] {
  const levels = pattern === "" ? [] : pattern.split(".");
  const rest = levels.indexOf("**");
  if (pattern.length > 256 || levels.length > 16)
    throw new RpcError("RESOURCE_EXHAUSTED", `${name}: a pattern has 256 bytes and 16 levels at most`, {
      reason: "maxTopicBytes",
    });
  if (!pattern.isWellFormed() || levels.includes("") || (rest >= 0 && rest !== levels.length - 1))
    throw refused(
      `${name}: pattern ${JSON.stringify(pattern.slice(0, 100))} is none: levels with dots between, ** last`,
    );
  return levels;
}

function matches(pattern: readonly string[], levels: readonly string[]): boolean {
  for (const [i, level] of pattern.entries()) {
    if (level === "**") return true;
    if (i >= levels.length || (level !== "*" && level !== levels[i])) return false;
  }
  return pattern.length === levels.length;
}
