import { type AtBroker, type DropReason, parseAtBroker } from "../frames/at-broker.ts";
import { sameBytes, serviceNameOf } from "../frames/names.ts";
import { CLIENT_01, CLIENT_02, CLIENT_PARTIAL_02, type MdpVersion } from "../frames/words.ts";
import { cancelTo, disconnectTo, heartbeatTo } from "./answers.ts";
import { Dispatcher, type SendFrames } from "./dispatcher.ts";
import { BrokerEvents, type MdpCounters, type MdpWorkerGone, noCounts } from "./events.ts";
import { answerQuestion } from "./questions.ts";
import { isAddressOf, keyOf } from "./identities.ts";
import { incomingRequest } from "./incoming.ts";
import { partLost } from "./leavers.ts";
import { type Door, type Service, Worker } from "./roster.ts";
import type { ResolvedSettings } from "./settings.ts";

type ClientRequest = Extract<AtBroker, { kind: "client" }>;
type WorkerMessage = Extract<AtBroker, { kind: "worker" }>;
type WorkerReply = Extract<WorkerMessage, { command: "partial" | "final" }>;

/** Strangers that are remembered as told, at each door; more are not answered until these are forgotten. */
const MOST_TOLD = 10_000;
const FORGET_TOLD_MS = 1_000;
const LEAST_TICK_MS = 10;
const MOST_TICK_MS = 100;

/**
 * The broker without its sockets: messages in, messages out, and time. Nothing that comes in can make it throw, and everything it keeps has
 * a limit. One timer looks after all workers and all queues, and stands still when there are none.
 */
export class BrokerMachine {
  readonly counters: MdpCounters = noCounts();
  readonly events: BrokerEvents = new BrokerEvents();
  readonly dispatcher: Dispatcher;
  readonly settings: ResolvedSettings;
  readonly doors: readonly Door[];
  workers = 0;
  readonly #send: SendFrames;
  readonly #tickMs: number;
  #timer: unknown = undefined;
  #dueAt = 0;
  #toldAt = 0;
  /** Clients that a reply could not reach: nothing more is done for them. */
  readonly #gone: Set<string> = new Set();
  #order = 0;
  #lastService: Service | undefined = undefined;
  #closing: (() => void) | undefined = undefined;
  #drainTimer: unknown = undefined;
  #closed = false;

  constructor(settings: ResolvedSettings, doors: readonly Door[], send: SendFrames) {
    this.settings = settings;
    this.doors = doors;
    this.#send = send;
    this.#tickMs = Math.min(MOST_TICK_MS, Math.max(LEAST_TICK_MS, settings.heartbeatMs / 4));
    this.dispatcher = new Dispatcher(settings, this.events, this.counters, send);
  }

  /** Does what a message asks for. Its first frame is the sender's identity. */
  receive(door: Door, frames: readonly Buffer[]): void {
    if (this.#closed) return;
    this.counters.received += 1;
    const identity = frames[0];
    if (identity === undefined) {
      this.counters.malformed += 1;
      return;
    }
    let bytes = 0;
    for (const frame of frames) bytes += frame.length;
    const { maxFrames, maxMessageBytes } = this.settings;
    if (frames.length > maxFrames || bytes > maxMessageBytes) {
      this.#drop(door, identity, "tooLarge", "0.1");
      return;
    }
    const seen = parseAtBroker(frames);
    if (seen.kind === "client") this.#request(door, identity, frames, seen, bytes);
    else if (seen.kind === "worker") this.#worker(door, identity, frames, seen);
    else this.#drop(door, identity, seen.reason, seen.workerVersion);
    if (this.#closing !== undefined) this.#finishWhenIdle();
  }

  /** A message came back from the socket. `full`: the peer is there and does not read. */
  undelivered(door: Door, frames: readonly Uint8Array[], full: boolean): void {
    const key = keyOf(frames[0]);
    const worker = door.workers.get(key);
    if (worker !== undefined) {
      // Only what came back itself has surely not been seen.
      const delivered = worker.dispatched !== frames;
      this.#unregister(worker, "unreachable", delivered);
    } else {
      if (frames[2] === CLIENT_PARTIAL_02) partLost(this, door, key, frames[3], full);
      if (full) this.counters.unread += 1;
      else if (frames.includes(CLIENT_01) || frames.includes(CLIENT_02)) {
        this.counters.orphanReply += 1;
        if (this.dispatcher.waiting > 0) this.#gone.add(`${door.index}:${key}`);
      }
    }
    if (this.#closing !== undefined) this.#finishWhenIdle();
  }

  /** Takes nothing new, and lets what it has come to its end, for so long; then says goodbye to everybody and calls `closed`. */
  drain(timeoutMs: number, closed: () => void): void {
    this.#closing = closed;
    for (const service of this.dispatcher.services.values()) {
      if (service.workers === 0) this.#failWaiting(service);
    }
    this.#finishWhenIdle();
    if (this.#closed) return;
    if (timeoutMs <= 0) this.#finish();
    else this.#drainTimer = this.settings.clock.setTimeout(() => this.#finish(), timeoutMs);
  }

  #request(door: Door, client: Buffer, frames: readonly Buffer[], seen: ClientRequest, bytes: number): void {
    const serviceFrame = frames[seen.serviceAt];
    const service = serviceFrame === undefined ? undefined : this.#serviceOf(serviceFrame);
    if (service === undefined) return this.#drop(door, client, "malformed", undefined);
    const question = service.name.startsWith("mmi.");
    this.#order += 1;
    const request = incomingRequest(
      door,
      frames,
      client,
      seen,
      bytes,
      service,
      question,
      this.#order,
      this.settings,
      this.events,
    );
    if (question) {
      this.counters.questions += 1;
      if (door.mayAsk(service.name)) answerQuestion(this, request, this.#send);
      else this.dispatcher.fail(request, "FORBIDDEN");
      return;
    }
    if (!door.mayRequest(service.name)) {
      this.dispatcher.fail(request, "FORBIDDEN");
      return;
    }
    if (this.#closing !== undefined) {
      this.dispatcher.fail(request, "NO_WORKER", "the broker is closing");
      return;
    }
    this.counters.requests += 1;
    if (this.events.has("request")) this.events.emit("request", service.name, client.toString("hex"));
    this.dispatcher.place(request, request.arrivedAt);
    if (this.#timer === undefined) this.#arm();
  }

  /** Most messages are for the service of the one before: its name is not made again. */
  #serviceOf(frame: Buffer): Service | undefined {
    const last = this.#lastService;
    if (last !== undefined && sameBytes(frame, last.frame)) {
      return this.dispatcher.services.get(last.key) ?? last;
    }
    const key = frame.toString("latin1");
    const known = this.dispatcher.services.get(key);
    if (known !== undefined) return (this.#lastService = known);
    const name = serviceNameOf(frame);
    return name === undefined ? undefined : (this.#lastService = this.dispatcher.serviceOf(name, key, frame));
  }

  #worker(door: Door, identity: Buffer, frames: readonly Buffer[], seen: WorkerMessage): void {
    const worker = door.workers.get(keyOf(identity));
    if (seen.command === "ready") {
      this.#ready(door, identity, worker, frames[seen.serviceAt], seen.version);
      return;
    }
    if (worker === undefined) {
      if (seen.command === "disconnect") return;
      this.counters.strangers += 1;
      this.#tell(door, identity, seen.version);
      return;
    }
    worker.lastSeen = this.settings.clock.now();
    switch (seen.command) {
      case "heartbeat":
        this.counters.heartbeats += 1;
        return;
      case "disconnect":
        this.#unregister(worker, "disconnected", true);
        return;
      case "partial":
      case "final":
        this.#reply(worker, frames, seen);
    }
  }

  #reply(worker: Worker, frames: readonly Buffer[], seen: WorkerReply): void {
    const { request, lastSeen: now } = worker;
    if (request === undefined || !isAddressOf(request, frames, seen)) {
      this.counters.forgedReply += 1;
      this.events.log(() => `worker ${worker.key} of ${worker.service.name} replied to what it was not asked`);
      this.#unregister(worker, "misbehaved", true);
      return;
    }
    if (seen.command === "partial") {
      this.dispatcher.answerInPart(request, frames, seen.bodyAt, now);
      const { maxBusyMs } = worker.service.settings;
      const { livenessMs } = this.settings;
      if (request.failed) worker.busyUntil = Math.min(worker.busyUntil, now + livenessMs);
      // An answer without an end keeps its worker only as long as somebody takes the parts.
      else if (!request.isCut && now <= request.deadline) {
        worker.busyUntil = Math.max(worker.busyUntil, now + maxBusyMs + livenessMs);
      }
      return;
    }
    this.dispatcher.release(worker);
    worker.answered += 1;
    this.dispatcher.answer(request, frames, seen.bodyAt, now);
    this.dispatcher.free(worker, now);
  }

  #ready(
    door: Door,
    identity: Buffer,
    registered: Worker | undefined,
    serviceFrame: Buffer | undefined,
    version: MdpVersion,
  ): void {
    if (registered !== undefined) {
      this.counters.refusedReady += 1;
      this.#unregister(registered, "misbehaved", true);
      return;
    }
    const name = serviceFrame === undefined ? undefined : serviceNameOf(serviceFrame);
    if (name === undefined || serviceFrame === undefined) {
      this.#drop(door, identity, "malformed", version);
      return;
    }
    if (!door.mayRegister(name)) {
      this.counters.forbidden += 1;
      this.events.log(() => `a worker may not register ${name} at door ${door.index}`);
      if (this.events.has("rejected")) this.events.emit("rejected", name, "FORBIDDEN");
      this.#tell(door, identity, version);
      return;
    }
    const reserved = name.startsWith("mmi.") || (name.startsWith("titanic.") && !this.settings.titanic);
    const service = this.dispatcher.serviceOf(name, serviceFrame.toString("latin1"), serviceFrame);
    if (
      reserved ||
      this.#closing !== undefined ||
      this.workers >= this.settings.maxWorkers ||
      !this.dispatcher.keep(service)
    ) {
      this.counters.refusedReady += 1;
      this.events.log(() => `a worker of ${name} was refused`);
      this.#tell(door, identity, version);
      return;
    }
    const now = this.settings.clock.now();
    const key = keyOf(identity);
    const worker = new Worker(door, identity, key, service, version, heartbeatTo(identity, version), now);
    door.workers.set(key, worker);
    this.workers += 1;
    service.workers += 1;
    service.offered = true;
    if (this.events.has("workerReady")) this.events.emit("workerReady", worker.info());
    this.dispatcher.free(worker, now);
    if (this.#timer === undefined) this.#arm();
  }

  #unregister(worker: Worker, reason: MdpWorkerGone, delivered: boolean): void {
    if (!worker.registered) return;
    worker.registered = false;
    const { door, service } = worker;
    door.workers.delete(worker.key);
    this.workers -= 1;
    service.workers -= 1;
    if (this.events.has("workerGone")) this.events.emit("workerGone", worker.info(), reason);
    if (reason !== "disconnected" && reason !== "unreachable") {
      this.#send(door, disconnectTo(worker.identity, worker.version));
    }
    const request = this.dispatcher.release(worker);
    if (request === undefined) service.removeIdle(worker);
    else this.dispatcher.lost(request, delivered, this.settings.clock.now());
    // Nobody registers any more: what waits would wait for the end.
    if (this.#closing !== undefined && service.workers === 0) this.#failWaiting(service);
    this.dispatcher.forget(service);
  }

  /** What a worker says of itself, beside its commands. False: nobody is known who could say so. */
  workerSays(door: Door, identity: Buffer, word: string): boolean {
    const worker = door.workers.get(keyOf(identity));
    if (worker === undefined) return false;
    if (word === "leave") this.#unregister(worker, "disconnected", false);
    else if (word === "cancel") worker.takesCancel = worker.version === "0.2";
    else return false;
    return true;
  }

  /** Most workers have no word for it: such a one may end by itself, or is sent away. */
  stop(worker: Worker): void {
    if (worker.takesCancel) this.#send(worker.door, cancelTo(worker.identity));
    worker.busyUntil = Math.min(worker.busyUntil, this.settings.clock.now() + this.settings.livenessMs);
  }

  #drop(door: Door, identity: Buffer, reason: DropReason | "tooLarge", workerVersion: MdpVersion | undefined): void {
    this.counters[reason] += 1;
    this.events.log(() => `dropped a message of ${identity.toString("hex")}: ${reason}`);
    if (workerVersion === undefined) return;
    const worker = door.workers.get(keyOf(identity));
    if (worker !== undefined) this.#unregister(worker, "misbehaved", true);
    else if (reason !== "tooLarge") this.#tell(door, identity, workerVersion);
  }

  /** Tells a stranger to go, so that it registers again; once in a while only, however much it says. */
  #tell(door: Door, identity: Buffer, version: MdpVersion): void {
    const key = keyOf(identity);
    if (door.told.has(key) || door.told.size >= MOST_TOLD) return;
    if (door.told.size === 0) this.#toldAt = this.settings.clock.now();
    door.told.add(key);
    this.#send(door, disconnectTo(identity, version));
    if (this.#timer === undefined) this.#arm();
  }

  #arm(): void {
    if (this.#closed) return;
    const { clock } = this.settings;
    this.#dueAt = clock.now() + this.#tickMs;
    this.#timer = clock.setTimeout(() => this.#tick(), this.#tickMs);
  }

  #tick(): void {
    this.#timer = undefined;
    const now = this.settings.clock.now();
    // Who stood still was the broker: what its workers have said meanwhile has not been read yet.
    const late = now - this.#dueAt;
    const grace = late >= this.settings.heartbeatMs ? late : 0;
    const forget = now - this.#toldAt >= FORGET_TOLD_MS;
    let told = 0;
    for (const door of this.doors) {
      if (forget) door.told.clear();
      told += door.told.size;
      for (const worker of door.workers.values()) this.#lookAfter(worker, now, grace);
    }
    if (this.dispatcher.waiting === 0) this.dispatcher.stopExpiring();
    if (this.#gone.size > 0) this.#withdrawGone();
    if (this.#closing !== undefined) this.#finishWhenIdle();
    if (this.workers > 0 || this.dispatcher.waiting > 0 || told > 0) this.#arm();
  }

  #lookAfter(worker: Worker, now: number, grace: number): void {
    worker.lastSeen += grace;
    worker.busyUntil += grace;
    if (worker.request === undefined) {
      if (now - worker.lastSeen >= this.settings.livenessMs) {
        if (this.events.has("heartbeatLost")) this.events.emit("heartbeatLost", worker.info());
        this.#unregister(worker, "silent", true);
        return;
      }
    } else if (now >= worker.busyUntil) {
      this.#unregister(worker, "stuck", true);
      return;
    }
    const since = now - worker.beatAt;
    if (since < this.settings.heartbeatMs) return;
    worker.beatAt = since < 2 * this.settings.heartbeatMs ? worker.beatAt + this.settings.heartbeatMs : now;
    this.#send(worker.door, worker.heartbeat);
  }

  #withdrawGone(): void {
    for (const service of this.dispatcher.services.values()) {
      if (service.waiting.size === 0) continue;
      this.dispatcher.withdraw(service, ({ door, client }) => this.#gone.has(`${door.index}:${keyOf(client)}`));
    }
    this.#gone.clear();
  }

  #failWaiting(service: Service): void {
    for (const request of this.dispatcher.withdraw(service, () => true)) {
      this.dispatcher.fail(request, "NO_WORKER", "the broker is closing");
    }
  }

  #finishWhenIdle(): void {
    if (this.dispatcher.inFlight === 0 && this.dispatcher.waiting === 0) this.#finish();
  }

  #finish(): void {
    if (this.#closed) return;
    for (const service of this.dispatcher.services.values()) this.#failWaiting(service);
    this.dispatcher.closing = true;
    for (const door of this.doors) {
      for (const worker of door.workers.values()) this.#unregister(worker, "closed", true);
    }
    this.#closed = true;
    this.dispatcher.stopExpiring();
    const { clock } = this.settings;
    if (this.#timer !== undefined) clock.clearTimeout(this.#timer);
    if (this.#drainTimer !== undefined) clock.clearTimeout(this.#drainTimer);
    this.#closing?.();
  }
}
