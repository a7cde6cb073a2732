import { Backoff } from "@rpc/core/transport";
import { parseAtWorker } from "../frames/at-peers.ts";
import type { Frames } from "../frames/words.ts";
import { writeDisconnect, writeHeartbeat, writeReady, writeWorkerReply } from "../frames/write.ts";
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
    registration?.done(this);
    registration?.send("final", this.#address, body);
  }

  /** The broker is gone. */
  forget(): void {
    this.#registration = undefined;
  }
}

/** Whom requests are brought to. */
export interface RequestSink {
  request(request: WorkerRequest): void;
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
  #closed = false;

  constructor(service: string, frame: Uint8Array, settings: WorkerSettings, sink: RequestSink) {
    this.service = service;
    this.#settings = settings;
    this.#sink = sink;
    this.#backoff = new Backoff(settings.reconnect);
    this.#ready = writeReady(settings.version, frame);
  }

  start(): void {
    const { broker, clock } = this.#settings;
    this.#timer = undefined;
    this.#hasHeard = false;
    this.#lastHeard = clock.now();
    this.#link = new DealerLink(broker, this.#settings, this);
    this.#link.send(this.#ready);
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
  }

  /** Says DISCONNECT. Requests that are open are lost. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { clock, version } = this.#settings;
    if (this.#timer !== undefined) clock.clearTimeout(this.#timer);
    this.#link?.send(writeDisconnect(version));
    // Long enough for the last replies and the DISCONNECT, and never longer where nobody reads them.
    this.#link?.close(LINGER_MS);
    this.#link = undefined;
    this.#drop();
  }

  #again(later: boolean): void {
    if (this.#closed || this.#link === undefined) return;
    const { clock, version } = this.#settings;
    this.#link.send(writeDisconnect(version));
    this.#link.close(0);
    this.#link = undefined;
    this.#drop();
    if (later) this.#timer = clock.setTimeout(() => this.start(), this.#backoff.nextMs());
    else this.start();
  }

  /** What was asked over a connection that is gone may go on; its reply has nowhere to go. */
  #drop(): void {
    for (const request of this.#open) request.forget();
    this.#open.clear();
  }
}

const LINGER_MS = 500;
