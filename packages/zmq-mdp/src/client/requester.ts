import { RpcError } from "@rpc/core";
import { DeadlineSweep, MAX_TIMER_MS } from "@rpc/core/transport";
import { bytesIn } from "../calls/body.ts";
import type { AtClient } from "../frames/at-peers.ts";
import type { Frames } from "../frames/words.ts";
import { serviceFrame } from "../worker/options.ts";
import { Exchange, type ReplySink } from "./exchange.ts";
import { Lane, type LaneOwner } from "./lane.ts";
import type { ClientSettings } from "./options.ts";

/** What was counted since the client was made. */
export interface MdpClientCounters {
  /** Replies that nobody waited for any more, and messages that were none. */
  readonly strayReplies: number;
  readonly connectionsLost: number;
}

/** Makes requests at one broker of several, and keeps them until they are answered, over or given up. */
export class Requester implements LaneOwner {
  readonly settings: ClientSettings;
  readonly #sweep: DeadlineSweep;
  readonly #exchanges = new Set<Exchange>();
  readonly #lanes = new Set<Lane>();
  /** With the correlation `socket`: those without a call, and calls without a socket. */
  readonly #idle: Lane[] = [];
  readonly #waiting: Exchange[] = [];
  readonly #services = new Map<string, Uint8Array>();
  #broker = 0;
  /** Brokers in a row that could not be reached. */
  #failures = 0;
  /** Time-outs in a row at one broker that said nothing meanwhile. */
  #silences = 0;
  /** Messages of brokers. */
  #heard = 0;
  #isProbing = false;
  /** Counts how often sockets were made anew. */
  #era = 0;
  #closed = false;
  #drained: (() => void) | undefined = undefined;
  #strayReplies = 0;
  #connectionsLost = 0;

  constructor(settings: ClientSettings) {
    this.settings = settings;
    this.#sweep = new DeadlineSweep(settings.clock, () => this.#exchanges);
  }

  get endpoint(): string {
    return this.settings.brokers[this.#broker] ?? "";
  }

  /** Which sockets are in use, for `renew`. */
  get era(): number {
    return this.#era;
  }

  /** No broker could be reached, and none was since. */
  get isDown(): boolean {
    return this.#failures >= this.settings.brokers.length;
  }

  get counters(): MdpClientCounters {
    return { strayReplies: this.#strayReplies, connectionsLost: this.#connectionsLost };
  }

  /**
   * Sends a request. Throws what is known at once: FAILED_PRECONDITION when closed, DEADLINE_EXCEEDED without time left, RESOURCE_EXHAUSTED
   * for one call too many. `label` names it in messages. `keptMs`: how long a request without a deadline is kept that nobody waits for.
   */
  request(
    label: string,
    service: string,
    body: Frames,
    deadline: number | undefined,
    sink: ReplySink,
    keptMs?: number,
  ): Exchange {
    const { clock, timeoutMs, maxCallsInFlight } = this.settings;
    if (this.#closed)
      throw new RpcError("FAILED_PRECONDITION", `${label}: the transport is closed`, {
        reason: "CLOSED",
        delivered: "no",
      });
    const until = deadline ?? (timeoutMs === undefined ? undefined : clock.now() + timeoutMs);
    if (until !== undefined && until <= clock.now()) throw late(label, "no");
    if (this.#exchanges.size >= maxCallsInFlight)
      throw new RpcError("RESOURCE_EXHAUSTED", `${label}: there are ${maxCallsInFlight} calls under way already`, {
        reason: "maxCallsInFlight",
        delivered: "no",
      });
    const end = until ?? (keptMs === undefined ? undefined : clock.now() + keptMs);
    const exchange = new Exchange(label, service, this.#frameOf(service), body, end, until, sink, (each) =>
      this.#expired(each),
    );
    this.#send(exchange);
    this.#exchanges.add(exchange);
    if (end !== undefined && end < Number.POSITIVE_INFINITY) this.#sweep.watch(end);
    return exchange;
  }

  /** Ends a request before it is answered; what comes for it later is dropped. */
  abandon(exchange: Exchange, error: RpcError): void {
    if (exchange.isSettled) return;
    const { lane } = exchange;
    this.#settle(exchange);
    if (lane === undefined) {
      const at = this.#waiting.indexOf(exchange);
      if (at >= 0) this.#waiting.splice(at, 1);
    } else if (this.settings.correlation === "envelope") {
      if (error.code === "DEADLINE_EXCEEDED") lane.forget(exchange);
      else lane.withdraw(exchange);
    } else {
      lane.withdraw(exchange);
      // Without marks the late reply would be taken for that of the next call.
      this.#drop(lane, exchange.isStream ? LINGER_MS : 0);
    }
    if (lane !== undefined) this.#dropRetired(lane);
    exchange.sink.failed(error);
    this.#next();
  }

  reply(lane: Lane, exchange: Exchange, message: Exclude<AtClient, { kind: "drop" }>): void {
    const { maxMessageBytes } = this.settings;
    this.#heard += 1;
    if (bytesIn(message.body) > maxMessageBytes) {
      const text = `${exchange.label}: the reply is larger than ${maxMessageBytes} bytes`;
      const error = new RpcError("RESOURCE_EXHAUSTED", text, { reason: "maxMessageBytes" });
      if (message.kind === "partial") return this.abandon(exchange, error);
      this.#finish(lane, exchange);
      return exchange.sink.failed(error);
    }
    if (message.kind === "partial") return exchange.sink.partial(message.body);
    this.#finish(lane, exchange);
    exchange.sink.final(message.body);
  }

  stray(): void {
    this.#heard += 1;
    this.#strayReplies += 1;
  }

  connected(): void {
    this.#failures = 0;
  }

  ended(lane: Lane, why: "unreachable" | "lost" | "refused"): void {
    this.#lanes.delete(lane);
    const at = this.#idle.indexOf(lane);
    if (at >= 0) this.#idle.splice(at, 1);
    const left = [...lane.exchanges.values()];
    lane.exchanges.clear();
    if (why === "lost") this.#connectionsLost += 1;
    else this.#failures += 1;
    this.leave(lane.endpoint);
    for (const exchange of left) {
      if (exchange.isSettled) continue;
      exchange.lane = undefined;
      exchange.unreachable += 1;
      // What no broker has seen may be brought to the next one.
      if (why === "lost" || exchange.unreachable >= this.settings.brokers.length)
        this.#lose(exchange, lossOf(exchange.label, lane.endpoint, why));
      else this.#sendAgain(exchange);
    }
    this.#next();
  }

  /** Asks the next broker from now on, if there is one and this is the one that is asked. What is open stays where it is. */
  leave(endpoint: string): void {
    const { brokers } = this.settings;
    if (endpoint !== this.endpoint) return;
    this.#silences = 0;
    if (brokers.length < 2) return;
    this.#broker = (this.#broker + 1) % brokers.length;
    this.renew(this.#era);
  }

  /** Makes the next request go over another socket than those of an era, for whoever found them wanting first. What is open stays where it is. */
  renew(era: number): void {
    if (era !== this.#era) return;
    this.#era += 1;
    for (const lane of this.#lanes) {
      lane.isRetired = true;
      this.#dropRetired(lane);
    }
    this.#idle.length = 0;
  }

  /** Refuses further requests; resolves when none is open, or `drainMs` later. */
  async drain(drainMs: number): Promise<void> {
    this.#closed = true;
    if (this.#exchanges.size === 0 || drainMs <= 0) return;
    const { clock } = this.settings;
    await new Promise<void>((resolve) => {
      const timer = clock.setTimeout(resolve, Math.min(drainMs, MAX_TIMER_MS));
      this.#drained = () => {
        clock.clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Ends whatever is open, and every socket. */
  destroy(): void {
    this.#closed = true;
    for (const exchange of this.#exchanges) {
      const delivered = exchange.isSent ? "unknown" : "no";
      if (exchange.isStream) exchange.lane?.withdraw(exchange);
      this.#settle(exchange);
      exchange.sink.failed(
        new RpcError("UNAVAILABLE", `${exchange.label}: the transport was closed`, { reason: "CLOSED", delivered }),
      );
    }
    this.#waiting.length = 0;
    this.#idle.length = 0;
    // A notification may still be on its way out.
    for (const lane of this.#lanes) lane.close(LINGER_MS);
    this.#lanes.clear();
    this.#sweep.stop();
  }

  #send(exchange: Exchange): void {
    const lane = this.#laneFor(exchange.label);
    if (lane === undefined) this.#waiting.push(exchange);
    else this.#sendOver(lane, exchange);
  }

  #sendOver(lane: Lane, exchange: Exchange): void {
    exchange.heard = this.#heard;
    lane.send(exchange);
  }

  /** The same for one whose caller waits already: what goes wrong is told to it. */
  #sendAgain(exchange: Exchange): void {
    try {
      this.#send(exchange);
    } catch (thrown) {
      this.#lose(exchange, RpcError.from(thrown));
    }
  }

  /** Undefined: it is to wait for one. */
  #laneFor(label: string): Lane | undefined {
    if (this.settings.correlation === "socket") {
      const idle = this.#idle.pop();
      if (idle !== undefined) return idle;
      return this.#lanes.size < this.settings.maxSockets ? this.#open(label) : undefined;
    }
    for (const lane of this.#lanes) if (lane.isOpen && !lane.isRetired) return lane;
    return this.#open(label);
  }

  #open(label: string): Lane | undefined {
    try {
      const lane = new Lane(this.endpoint, this.settings, this);
      this.#lanes.add(lane);
      return lane;
    } catch (thrown) {
      // ZeroMQ has no socket left; where each call has its own there will be one.
      if (this.#lanes.size > 0 && this.settings.correlation === "socket") return undefined;
      const text = `${label}: cannot open a socket to ${this.endpoint}: ${RpcError.from(thrown).message}`;
      throw new RpcError("RESOURCE_EXHAUSTED", text, { reason: "SOCKETS", delivered: "no", cause: thrown });
    }
  }

  #finish(lane: Lane, exchange: Exchange): void {
    this.#settle(exchange);
    this.#silences = 0;
    if (lane.isRetired) this.#dropRetired(lane);
    else if (this.settings.correlation === "socket" && lane.isOpen && !this.#closed) this.#idle.push(lane);
    this.#next();
  }

  #expired(exchange: Exchange): void {
    const { lane, heard } = exchange;
    this.abandon(exchange, late(exchange.label, exchange.isSent ? "unknown" : "no"));
    if (lane === undefined || lane.endpoint !== this.endpoint || this.#heard > heard) return;
    this.#silences += 1;
    if (this.#silences >= this.settings.silentTries) this.#probe(lane.endpoint);
  }

  /** A broker that takes what it is given and never says a word is not there, whatever its connection says; or its workers are slow. It is asked. */
  #probe(endpoint: string): void {
    if (this.#isProbing || this.#closed || this.settings.brokers.length < 2) return;
    this.#isProbing = true;
    const done = (isThere: boolean): void => {
      this.#isProbing = false;
      if (!isThere && !this.#closed) this.leave(endpoint);
    };
    const sink = { partial: () => undefined, final: () => done(true), failed: () => done(false) };
    try {
      this.request("probe", MMI_SERVICE, [Buffer.from(MMI_SERVICE)], this.settings.clock.now() + PROBE_MS, sink);
    } catch {
      done(false);
    }
  }

  #dropRetired(lane: Lane): void {
    if (lane.isRetired && lane.exchanges.size === 0) this.#drop(lane);
  }

  #settle(exchange: Exchange): void {
    exchange.isSettled = true;
    this.#exchanges.delete(exchange);
    if (this.#exchanges.size > 0) return;
    // Nothing is left to expire, and an armed timer would keep a program from ending.
    this.#sweep.stop();
    this.#drained?.();
  }

  #drop(lane: Lane, lingerMs = 0): void {
    this.#lanes.delete(lane);
    lane.close(lingerMs);
  }

  #next(): void {
    for (;;) {
      const [exchange] = this.#waiting;
      if (exchange === undefined) return;
      try {
        const lane = this.#laneFor(exchange.label);
        if (lane === undefined) return;
        this.#waiting.shift();
        this.#sendOver(lane, exchange);
      } catch (thrown) {
        this.#waiting.shift();
        this.#lose(exchange, RpcError.from(thrown));
      }
    }
  }

  #lose(exchange: Exchange, error: RpcError): void {
    this.#settle(exchange);
    exchange.sink.failed(error);
  }

  #frameOf(service: string): Uint8Array {
    let frame = this.#services.get(service);
    if (frame === undefined) {
      frame = serviceFrame(service);
      if (this.#services.size < MOST_SERVICES) this.#services.set(service, frame);
    }
    return frame;
  }
}

const LINGER_MS = 500;
/** Answered by a broker itself, at once. */
const MMI_SERVICE = "mmi.service";
const PROBE_MS = 1_000;
const MOST_SERVICES = 1_000;

function late(label: string, delivered: "no" | "unknown"): RpcError {
  return new RpcError("DEADLINE_EXCEEDED", `${label}: deadline exceeded`, { reason: "DEADLINE", delivered });
}

function lossOf(label: string, endpoint: string, why: "unreachable" | "lost" | "refused"): RpcError {
  switch (why) {
    case "lost":
      return new RpcError("UNAVAILABLE", `${label}: the connection to ${endpoint} is lost`, {
        reason: "PEER_LOST",
        delivered: "unknown",
      });
    case "refused":
      return new RpcError("UNAUTHENTICATED", `${label}: ${endpoint} does not accept who we are`, {
        reason: "UNAUTHENTICATED",
        delivered: "no",
      });
    default:
      return new RpcError("UNAVAILABLE", `${label}: ${endpoint} cannot be reached`, {
        reason: "UNAVAILABLE",
        delivered: "no",
      });
  }
}
