import { type Channel, type ChannelSink, type Clock, RpcError } from "@rpc/core/transport";
import { destroyChannel, wrapChannel } from "../faults.ts";
import type { Fate, WireSide } from "./fate.ts";

/** Who made a wire, and wants to know what becomes of it. */
export interface WireHost {
  readonly clock: Clock;
  /** No fate strikes any more. */
  isCalm(): boolean;
  struck(name: string, fate: Fate, messages: number): void;
  ended(name: string, side: WireSide): void;
  gone(wire: ChaosWire): void;
}

/** One connection in this process: two ends, the time that messages take between them, and its fate. */
export class ChaosWire {
  readonly dialed: Channel;
  readonly accepted: Channel;
  readonly #name: string;
  readonly #host: WireHost;
  readonly #dialer: WireEnd;
  readonly #acceptor: WireEnd;
  readonly #draw: (messages: number) => Fate | undefined;
  #fate: Fate | undefined;
  #messages = 0;
  #struck = false;

  constructor(
    name: string,
    near: Channel,
    far: Channel,
    latencyMs: number,
    draw: (messages: number) => Fate | undefined,
    host: WireHost,
  ) {
    this.#name = name;
    this.#host = host;
    this.#draw = draw;
    this.#fate = draw(0);
    const end = (side: WireSide, inner: Channel): WireEnd =>
      new WireEnd(inner, latencyMs, host.clock, {
        sending: () => this.#countMessage(),
        ended: () => {
          host.ended(name, side);
          if (this.#dialer.isOver && this.#acceptor.isOver) host.gone(this);
        },
      });
    this.#dialer = end("dialer", near);
    this.#acceptor = end("acceptor", far);
    this.dialed = this.#dialer.channel;
    this.accepted = this.#acceptor.channel;
  }

  /** Lets a fate come true now. A connection that was struck already (stalls aside) stays as it is. */
  strike(fate: Fate): void {
    if (this.#struck) return;
    this.#host.struck(this.#name, fate, this.#messages);
    switch (fate.kind) {
      case "stall":
        this.#dialer.stall(fate.stallMs);
        this.#acceptor.stall(fate.stallMs);
        return;
      case "cut":
      case "blackHole":
        this.#struck = true;
        this.#dialer.silence(fate.dialerLearnsMs);
        this.#acceptor.silence(fate.acceptorLearnsMs);
        return;
      case "lost":
        this.#struck = true;
        this.#dialer.silence(undefined);
        this.#acceptor.silence(undefined);
        return;
      case "halfClose":
        this.#struck = true;
        (fate.told === "dialer" ? this.#dialer : this.#acceptor).end();
        return;
      default:
        fate satisfies never;
    }
  }

  /** Ends it without telling anybody. */
  drop(): void {
    this.#dialer.drop();
    this.#acceptor.drop();
  }

  /** Called before each message: the fate strikes in front of it. */
  #countMessage(): void {
    const fate = this.#fate;
    if (fate !== undefined && this.#messages >= fate.atMessage && !this.#struck && !this.#host.isCalm()) {
      this.#fate = undefined;
      this.strike(fate);
      if (!this.#struck) this.#fate = this.#draw(this.#messages + 1);
    }
    this.#messages += 1;
  }
}

interface EndHost {
  sending(): void;
  /** Once: this end was told that the connection is over, or has ended it. */
  ended(): void;
}

interface Arrival {
  readonly at: number;
  readonly deliver: (sink: ChannelSink) => void;
}

/** One end: what arrives waits for its time, or does not arrive at all. */
class WireEnd {
  readonly channel: Channel;
  readonly #inner: Channel;
  readonly #clock: Clock;
  readonly #host: EndHost;
  readonly #latencyMs: number;
  #sink: ChannelSink | undefined;
  #arrivals: Arrival[] = [];
  #timer: unknown;
  #learnTimer: unknown;
  #lastDue = 0;
  #paused = false;
  /** Nothing goes out any more, and nothing comes in. */
  #silent = false;
  /** Nothing comes in any more. */
  #deaf = false;
  #closedHere = false;
  isOver = false;

  constructor(inner: Channel, latencyMs: number, clock: Clock, host: EndHost) {
    this.#inner = inner;
    this.#latencyMs = latencyMs;
    this.#clock = clock;
    this.#host = host;
    this.channel = {
      ...wrapChannel(inner, {
        sink: (outer) => this.#listen(outer),
        send: (message, transfer) => this.#send(message, transfer),
        close: (reason) => this.#close(reason, () => inner.close(reason)),
      }),
      destroy: (reason) => this.#close(reason, () => destroyChannel(inner, reason)),
      // What the inner channel has handed over already waits here.
      pause: () => {
        this.#paused = true;
        inner.pause?.();
      },
      resume: () => {
        this.#paused = false;
        inner.resume?.();
        this.#schedule();
      },
    };
  }

  /** Holds what is under way to this end, and what comes in the meantime, back. */
  stall(ms: number): void {
    const until = this.#clock.now() + ms;
    this.#lastDue = Math.max(this.#lastDue, until);
    this.#arrivals = this.#arrivals.map(({ at, deliver }) => ({ at: Math.max(at, until), deliver }));
    this.#schedule();
  }

  /** Nothing passes any more; this end learns of it after so long, or never. */
  silence(learnsMs: number | undefined): void {
    this.#silent = true;
    this.#forget();
    if (learnsMs === undefined || this.#closedHere || this.isOver) return;
    const learn = (): void => {
      this.#learnTimer = undefined;
      const reason = new RpcError("UNAVAILABLE", "the connection was cut", { reason: "PEER_LOST" });
      this.#close(reason, () => destroyChannel(this.#inner, reason));
    };
    this.#learnTimer = this.#clock.setTimeout(learn, learnsMs);
  }

  /** This end is told that nothing more comes. */
  end(): void {
    this.#forget();
    this.#deaf = true;
    // In a turn of its own: this may be inside a `send` of this very end.
    queueMicrotask(() =>
      this.#arrive((sink) => {
        if (sink.ended === undefined) this.channel.close();
        else sink.ended();
      }),
    );
  }

  drop(): void {
    this.isOver = true;
    this.#silent = true;
    this.#forget();
    this.#clock.clearTimeout(this.#learnTimer);
    destroyChannel(this.#inner);
  }

  #listen(outer: ChannelSink): ChannelSink {
    this.#sink = outer;
    return {
      message: (bytes) => {
        if (!this.#silent && !this.#deaf) this.#arrive((sink) => sink.message(bytes));
      },
      drained: () => {
        if (!this.#silent) this.#arrive((sink) => sink.drained());
      },
      closed: (reason) => {
        // The far end's close travels behind its messages. What this end does by itself needs no time, and tells it by itself.
        if (!this.#closedHere && !this.#silent) this.#arrive(() => this.#over(reason));
      },
    };
  }

  #send(message: Uint8Array, transfer: boolean): boolean {
    if (this.#closedHere || this.isOver) return false;
    this.#host.sending();
    return this.#silent ? true : this.#inner.send(message, transfer);
  }

  #close(reason: RpcError | undefined, closeInner: () => void): void {
    if (this.#closedHere) return;
    this.#closedHere = true;
    this.#clock.clearTimeout(this.#learnTimer);
    this.#forget();
    closeInner();
    // Not left to the inner channel: it may have told its end already, while nothing was to be heard here.
    const told = reason ?? new RpcError("UNAVAILABLE", "the channel was closed here", { reason: "CLOSED" });
    queueMicrotask(() => this.#over(told));
  }

  #over(reason: RpcError): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#forget();
    this.#clock.clearTimeout(this.#learnTimer);
    this.#sink?.closed(reason);
    this.#host.ended();
  }

  #arrive(deliver: (sink: ChannelSink) => void): void {
    const at = Math.max(this.#lastDue, this.#clock.now() + this.#latencyMs);
    this.#lastDue = at;
    if (at <= this.#clock.now() && this.#arrivals.length === 0 && !this.#paused) this.#deliver({ at, deliver });
    else {
      this.#arrivals.push({ at, deliver });
      this.#schedule();
    }
  }

  #schedule(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    const [first] = this.#arrivals;
    if (first === undefined || this.#paused) return;
    this.#timer = this.#clock.setTimeout(() => this.#deliverDue(), Math.max(0, first.at - this.#clock.now()));
  }

  #deliverDue(): void {
    this.#timer = undefined;
    while (!this.#paused) {
      const [first] = this.#arrivals;
      if (first === undefined || first.at > this.#clock.now()) break;
      this.#arrivals.shift();
      this.#deliver(first);
    }
    if (this.#timer === undefined) this.#schedule();
  }

  #deliver({ deliver }: Arrival): void {
    if (this.#sink !== undefined && !this.isOver) deliver(this.#sink);
  }

  #forget(): void {
    this.#arrivals = [];
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
