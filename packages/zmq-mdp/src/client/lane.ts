import { type AtClient, parseAtClient } from "../frames/at-peers.ts";
import type { Frames } from "../frames/words.ts";
import { writeRequest } from "../frames/write.ts";
import { DealerLink, type DealerLinkSink } from "../link/dealer-link.ts";
import type { Exchange } from "./exchange.ts";
import type { ClientSettings } from "./options.ts";

/** What a lane tells whoever opened it. */
export interface LaneOwner {
  reply(lane: Lane, exchange: Exchange, message: Exclude<AtClient, { kind: "drop" }>): void;
  /** A reply to nobody: its call was given up. */
  stray(): void;
  connected(lane: Lane): void;
  /** It will carry nothing any more. Those that travelled on it are still in `exchanges`. */
  ended(lane: Lane, why: "unreachable" | "lost" | "refused"): void;
}

/** A socket to a broker with the calls that travel on it: all of them with a mark each, or one at a time without. */
export class Lane implements DealerLinkSink {
  readonly endpoint: string;
  readonly exchanges: Map<number, Exchange> = new Map();
  readonly #link: DealerLink;
  readonly #settings: ClientSettings;
  readonly #owner: LaneOwner;
  readonly #timer: unknown;
  #lastMark = 0;
  isConnected = false;
  /** It takes no more calls, and ends when those that it has are over. */
  isRetired = false;

  constructor(endpoint: string, settings: ClientSettings, owner: LaneOwner) {
    this.endpoint = endpoint;
    this.#settings = settings;
    this.#owner = owner;
    this.#link = new DealerLink(endpoint, settings, this);
    this.#timer = settings.clock.setTimeout(() => this.#end("unreachable"), settings.connectTimeoutMs);
  }

  get isOpen(): boolean {
    return this.#link.isOpen;
  }

  send(exchange: Exchange): void {
    const { correlation, dialect, clock } = this.#settings;
    this.#lastMark = this.#lastMark >= MOST_MARKS ? 1 : this.#lastMark + 1;
    const mark = correlation === "socket" ? 0 : this.#lastMark;
    exchange.mark = mark;
    exchange.lane = this;
    this.exchanges.set(mark, exchange);
    const { serviceFrame, body, patience } = exchange;
    const timeoutMs =
      dialect === "domogik" && patience !== undefined && patience < Number.POSITIVE_INFINITY
        ? Math.max(1, Math.ceil(patience - clock.now()))
        : undefined;
    this.#link.send(
      writeRequest({
        service: serviceFrame,
        body,
        ...(dialect === "mdp02" ? { version: "0.2" as const } : {}),
        ...(correlation === "envelope" ? { envelope: [frameOf(mark)] } : {}),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      }),
    );
  }

  /** Its reply is not wanted any more. */
  forget(exchange: Exchange): void {
    if (this.exchanges.get(exchange.mark) === exchange) this.exchanges.delete(exchange.mark);
  }

  /**
   * The same for one whose caller has changed its mind: a broker of ours takes it out of its queue, and tells the worker of a stream. Others answer that
   * they know no such service.
   */
  withdraw(exchange: Exchange): void {
    this.forget(exchange);
    const { dialect } = this.#settings;
    if (!this.isConnected) return;
    if (dialect === "mdp02" && exchange.isStream)
      return this.#link.send(writeRequest({ service: MMI_CANCEL, body: [exchange.serviceFrame], version: "0.2" }));
    if (dialect !== "domogik") return;
    const body = [exchange.serviceFrame, frameOf(exchange.mark)];
    this.#link.send(writeRequest({ service: MMI_CANCEL, body, envelope: [frameOf(0)] }));
  }

  message(frames: Frames): void {
    if (!this.isConnected) this.connected();
    const message = parseAtClient(frames);
    if (message.kind === "drop") return this.#owner.stray();
    const mark = this.#settings.correlation === "socket" ? 0 : markOf(message.envelope);
    const exchange = this.exchanges.get(mark);
    // What the broker makes of a request to cancel is of no interest.
    if (exchange === undefined && message.service === "mmi.cancel") return;
    if (exchange === undefined || exchange.service !== message.service) return this.#owner.stray();
    if (message.kind === "final") this.exchanges.delete(exchange.mark);
    this.#owner.reply(this, exchange, message);
  }

  connected(): void {
    if (this.isConnected) return;
    this.#settings.clock.clearTimeout(this.#timer);
    this.isConnected = true;
    this.#owner.connected(this);
  }

  unreachable(): void {
    // Where there is another broker nobody waits for this one.
    if (!this.isConnected && this.#settings.brokers.length > 1) this.#end("unreachable");
  }

  lost(): void {
    // libzmq tells of a connection that never shook hands too.
    if (this.isConnected) this.#end("lost");
  }

  refused(): void {
    this.#end("refused");
  }

  close(lingerMs = 0): void {
    this.#settings.clock.clearTimeout(this.#timer);
    this.#link.close(lingerMs);
  }

  #end(why: "unreachable" | "lost" | "refused"): void {
    if (!this.isOpen) return;
    this.close();
    this.#owner.ended(this, why);
  }
}

const MMI_CANCEL: Uint8Array = Buffer.from("mmi.cancel");
const MOST_MARKS = 0xffff_ffff;

/** A mark as an address frame: never empty, and no header. */
function frameOf(mark: number): Uint8Array {
  const frame = new Uint8Array(5);
  frame[0] = 1;
  frame[1] = mark >>> 24;
  frame[2] = mark >>> 16;
  frame[3] = mark >>> 8;
  frame[4] = mark;
  return frame;
}

function markOf([frame]: Frames): number {
  if (frame?.length !== 5 || frame[0] !== 1) return 0;
  return (((frame[1] ?? 0) << 24) | ((frame[2] ?? 0) << 16) | ((frame[3] ?? 0) << 8) | (frame[4] ?? 0)) >>> 0;
}
