import { RpcError } from "@rpc/core";
import { Backoff } from "@rpc/core/transport";
import { parseAtWorker } from "../frames/at-peers.ts";
import { type Frames, LEAVE, MMI_WORKER, TAKES_CANCEL } from "../frames/words.ts";
import { writeDisconnect, writeHeartbeat, writeReady, writeRequest, writeWorkerReply } from "../frames/write.ts";
import { DealerLink, type DealerLinkSink } from "../link/dealer-link.ts";
import type { WorkerSettings } from "./options.ts";

/** A request that is owed a reply. */
export class WorkerRequest {
  readonly body: Frames;
  /** Undefined when the broker that it came from is gone: nobody would hear the reply. */
  #registration: Registration | undefined;
  readonly #address: Frames;

  constructor(registration: Registration, address: Frames, body: Frames) {
    this.#registration = registration;
    this.#address = address;
    this.body = body;
  }

  get service(): string {
    return this.#registration?.service ?? "";
  }

  /** Whether a reply would still arrive. */
  get isOpen(): boolean {
    return this.#registration !== undefined;
  }

  /** One of several replies; MDP 0.2 alone. */
  partial(body: Frames): void {
    this.#registration?.send("partial", this.#address, body);
  }

  /** The last reply. The second one is ignored. */
  reply(body: Frames): void {
    const registration = this.#registration;
    this.#registration = undefined;
    registration?.send("final", this.#address, body);
    registration?.done(this);
  }

  /** The broker is gone. */
  forget(): void {
    this.#registration = undefined;
  }
}

/** Whom requests are brought to. */
export interface RequestSink {
  request(request: WorkerRequest): void;
  /** Its caller does not want the reply any more; one is owed to the broker all the same. */
  cancelled?(request: WorkerRequest): void;
  /** The broker that it came from is gone: nobody waits for its reply. */
  lost?(request: WorkerRequest): void;
}

/** One place of a service at a broker: a socket after the other, READY on each, signs of life, and the requests that came. */
export class Registration implements DealerLinkSink {
  readonly service: string;
  readonly #settings: WorkerSettings;
  readonly #ready: Frames;
  readonly #sink: RequestSink;
  readonly #backoff: Backoff;
  readonly #open = new Set<WorkerRequest>();
  #link: DealerLink | undefined = undefined;
  #lastHeard = 0;
  #hasHeard = false;
  #timer: unknown = undefined;
  #leaving = false;
  #closed = false;

  constructor(service: string, frame: Uint8Array, settings: WorkerSettings, sink: RequestSink) {
    this.service = service;
    this.#settings = settings;
    this.#sink = sink;
    this.#backoff = new Backoff(settings.reconnect);
    this.#ready = writeReady(settings.version, frame);
  }

  /** Throws when ZeroMQ has no socket left. */
  start(): void {
    const { broker, clock } = this.#settings;
    this.#hasHeard = false;
    this.#lastHeard = clock.now();
    this.#link = new DealerLink(broker, this.#settings, this);
    this.#link.send(this.#ready);
    if (this.#settings.version === "0.2") this.#tell(this.#link, TAKES_CANCEL);
  }

  /** Called once in a heartbeat's time. */
  beat(): void {
    const link = this.#link;
    if (link === undefined) return;
    const { version, clock, heartbeatMs, liveness } = this.#settings;
    link.send(writeHeartbeat(version));
    // Domogik's broker says nothing while its request is open.
    if (this.#open.size > 0 || clock.now() - this.#lastHeard < heartbeatMs * liveness) return;
    const lastHeard = this.#lastHeard;
    // Maybe this process was busy, and the signs of life wait to be read: they come before the next turn's end.
    setImmediate(() =>
      setImmediate(() => {
        if (this.#link === link && this.#lastHeard === lastHeard && this.#open.size === 0) this.#again(true);
      }),
    );
  }

  message(frames: Frames): void {
    const message = parseAtWorker(frames);
    if (message.kind === "drop") return;
    if (!this.#hasHeard) this.#backoff.reset();
    this.#hasHeard = true;
    this.#lastHeard = this.#settings.clock.now();
    if (message.kind === "disconnect") return this.#again(true);
    if (message.kind === "cancel") {
      for (const request of this.#open) this.#sink.cancelled?.(request);
      return;
    }
    if (message.kind !== "request") return;
    const request = new WorkerRequest(this, message.address, message.body);
    this.#open.add(request);
    this.#sink.request(request);
  }

  connected(): void {
    return undefined;
  }

  unreachable(): void {
    return undefined;
  }

  lost(): void {
    // Whoever has spoken is worth an attempt at once; libzmq itself waits between its tries.
    this.#again(!this.#hasHeard);
  }

  refused(): void {
    this.#again(true);
  }

  send(kind: "partial" | "final", address: Frames, body: Frames): void {
    this.#link?.send(writeWorkerReply(this.#settings.version, kind, address, body));
  }

  done(request: WorkerRequest): void {
    this.#open.delete(request);
    // The silence of a broker counts from here.
    this.#lastHeard = this.#settings.clock.now();
    if (this.#leaving && this.#open.size === 0) this.close();
  }

  /** Goes when it has nothing in hand. Until then the broker sends it nothing else; one that stays would be asked first, being free first. */
  leave(): void {
    this.#leaving = true;
    if (this.#open.size === 0) this.close();
  }

  /** Says DISCONNECT. Requests that are open are lost. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { clock, version } = this.#settings;
    if (this.#timer !== undefined) clock.clearTimeout(this.#timer);
    // A request that crosses this on the way was not begun: a broker of ours gives it to another.
    if (this.#link !== undefined && this.#open.size === 0) this.#tell(this.#link, LEAVE);
    this.#link?.send(writeDisconnect(version));
    // Long enough for the last replies and the DISCONNECT, and never longer where nobody reads them.
    this.#link?.close(LINGER_MS);
    this.#link = undefined;
    this.#drop();
  }

  #tell(link: DealerLink, word: Uint8Array): void {
    link.send(writeRequest({ service: MMI_WORKER, body: [word], version: this.#settings.version }));
  }

  #again(later: boolean): void {
    if (this.#closed || this.#link === undefined) return;
    const { clock, version } = this.#settings;
    this.#link.send(writeDisconnect(version));
    this.#link.close(0);
    this.#link = undefined;
    this.#drop();
    if (this.#leaving) this.#closed = true;
    else if (later) this.#timer = clock.setTimeout(() => this.#restart(), this.#backoff.nextMs());
    else this.#restart();
  }

  /** ZeroMQ may have no socket left for the moment: closed ones are given back by another thread. */
  #restart(): void {
    this.#timer = undefined;
    try {
      this.start();
    } catch (thrown) {
      const { broker, clock, onError } = this.#settings;
      const text = `${this.service}: no socket to ${broker}, tried again later: ${RpcError.from(thrown).message}`;
      onError(new RpcError("RESOURCE_EXHAUSTED", text, { reason: "SOCKETS", cause: thrown }));
      this.#timer = clock.setTimeout(() => this.#restart(), this.#backoff.nextMs());
    }
  }

  /** What was asked over a connection that is gone may go on; its reply has nowhere to go. */
  #drop(): void {
    const lost = [...this.#open];
    this.#open.clear();
    for (const request of lost) {
      request.forget();
      this.#sink.lost?.(request);
    }
  }
}

const LINGER_MS = 500;
