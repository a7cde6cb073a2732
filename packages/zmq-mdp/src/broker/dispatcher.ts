import { DeadlineSweep } from "@rpc/core/transport";
import { pushFrom, replyHead, requestTo, errorBody, reasonOf } from "./answers.ts";
import type { BrokerEvents, MdpCounters, MdpErrorCode } from "./events.ts";
import { type Door, type Request, Service, type Worker } from "./roster.ts";
import type { MdpWorkerInfo, ResolvedSettings } from "./settings.ts";

/** Hands a message to the socket of a door; its first frame is the identity that it is for. */
export type SendFrames = (door: Door, frames: readonly Uint8Array[]) => void;

/** Requests on their way: to a worker, into the queue, back to their callers. Knows nothing of how workers come and go. */
export class Dispatcher {
  readonly services: Map<string, Service> = new Map();
  /** Requests that wait, and their bytes; requests that a worker has. */
  waiting = 0;
  waitingBytes = 0;
  inFlight = 0;
  /** Whoever is lost from now on is not replaced. */
  closing = false;
  readonly #settings: ResolvedSettings;
  readonly #events: BrokerEvents;
  readonly #counters: MdpCounters;
  readonly #send: SendFrames;
  readonly #expiries: DeadlineSweep;

  constructor(settings: ResolvedSettings, events: BrokerEvents, counters: MdpCounters, send: SendFrames) {
    this.#settings = settings;
    this.#events = events;
    this.#counters = counters;
    this.#send = send;
    this.#expiries = new DeadlineSweep(settings.clock, () => this.services.values());
  }

  /** The service of a name, made for the moment if nobody has it: only one with workers or requests is kept. */
  serviceOf(name: string, key: string, frame: Buffer): Service {
    return (
      this.services.get(key) ??
      new Service(name, key, frame, this.#settings.settingsOf(name), (service) => this.#expire(service))
    );
  }

  /** Keeps a service; false when there are too many of them. */
  keep(service: Service): boolean {
    if (this.services.has(service.key)) return true;
    if (this.services.size >= this.#settings.maxServices) return false;
    this.services.set(service.key, service);
    return true;
  }

  forget(service: Service): void {
    if (service.workers === 0 && service.waiting.size === 0) this.services.delete(service.key);
  }

  /** Gives a new request to a worker or to the queue, or answers why not. */
  place(request: Request, now: number): void {
    const { service } = request;
    const idle = service.firstIdle;
    if (idle !== undefined) {
      const worker = this.#settings.selectWorker === undefined ? idle : this.#selected(service, idle);
      service.removeIdle(worker);
      this.dispatch(worker, request, now);
      return;
    }
    if (
      service.waiting.size >= service.settings.maxQueue ||
      this.waitingBytes + request.bytes > this.#settings.maxQueuedBytes ||
      !this.keep(service)
    ) {
      this.fail(request, "QUEUE_FULL");
      return;
    }
    this.#enqueue(request);
  }

  /** Once more, behind nobody who came later. What it was counted for already is not asked again. */
  replace(request: Request, now: number): void {
    const { service } = request;
    const worker = service.firstIdle;
    if (worker !== undefined) {
      service.removeIdle(worker);
      this.dispatch(worker, request, now);
      return;
    }
    this.services.set(service.key, service);
    this.#enqueue(request);
  }

  /** The worker has nothing to do: it takes what waits, or stands at the end of the idle ones. */
  free(worker: Worker, now: number): void {
    const next = this.#next(worker.service, now);
    if (next === undefined) worker.service.addIdle(worker);
    else this.dispatch(worker, next, now);
  }

  dispatch(worker: Worker, request: Request, now: number): void {
    const { maxBusyMs } = request.service.settings;
    worker.request = request;
    const patience = request.deadline === Number.POSITIVE_INFINITY ? 0 : request.deadline;
    worker.busyUntil = Math.max(patience, now + maxBusyMs) + this.#settings.livenessMs;
    request.attempts += 1;
    this.inFlight += 1;
    worker.dispatched = requestTo(worker, request);
    this.#send(worker.door, worker.dispatched);
  }

  /** Takes the request from its worker. */
  release(worker: Worker): Request | undefined {
    const { request } = worker;
    if (request === undefined) return undefined;
    worker.request = undefined;
    worker.dispatched = undefined;
    this.inFlight -= 1;
    return request;
  }

  /** Answers a request with what its worker said. */
  answer(request: Request, frames: readonly Buffer[], bodyAt: number, now: number): void {
    if (request.failed) return;
    if (request.isCut) return this.fail(request, "OVERFLOW");
    if (now > request.deadline) {
      // The caller stopped listening before: whoever listens there now has asked for something else.
      this.#counters.lateReply += 1;
      return;
    }
    const out = replyHead(request, request.service.frame, false);
    if (request.collected !== undefined) pushFrom(out, request.collected, 0);
    this.#send(request.door, pushFrom(out, frames, bodyAt));
    this.#counters.replies += 1;
    if (this.#events.has("reply")) this.#events.emit("reply", request.service.name, now - request.arrivedAt);
  }

  /** A part of an answer: on its way at once, or kept for a caller who takes the whole only. */
  answerInPart(request: Request, frames: readonly Buffer[], bodyAt: number, now: number): void {
    this.#counters.partials += 1;
    if (request.failed || request.isCut || now > request.deadline) return;
    if (request.version === "0.2") {
      request.begun = true;
      this.#send(request.door, pushFrom(replyHead(request, request.service.frame, true), frames, bodyAt));
      return;
    }
    const collected = (request.collected ??= []);
    pushFrom(collected, frames, bodyAt);
    let bytes = 0;
    for (const frame of collected) bytes += frame.length;
    if (
      request.service.settings.collect &&
      collected.length <= this.#settings.maxFrames &&
      bytes <= this.#settings.maxMessageBytes
    ) {
      return;
    }
    request.failed = true;
    request.collected = undefined;
    this.fail(request, "UNSUPPORTED");
  }

  /** A request's worker is gone. `delivered`: it may have begun with it. */
  lost(request: Request, delivered: boolean, now: number): void {
    if (request.failed) return;
    const { settings } = request.service;
    if (!delivered) request.attempts -= 1;
    const again = !delivered || (settings.requeue && !request.begun && request.attempts < settings.maxAttempts);
    if (!again || this.closing || now > request.deadline) {
      this.#counters.workerLost += 1;
      // After its patience the caller may listen for something else.
      if (now > request.deadline) request.wantsError = false;
      this.fail(request, request.isCut ? "OVERFLOW" : "WORKER_LOST");
      return;
    }
    this.#counters.requeued += 1;
    request.collected = undefined;
    request.expiresAt = Math.min(request.answerBy, now + settings.requestTtlMs);
    this.replace(request, now);
  }

  /** Says that a request came to nothing, if its caller wants to hear it. */
  fail(request: Request, code: MdpErrorCode, reason?: string): void {
    const { name } = request.service;
    if (code === "QUEUE_FULL") this.#counters.queueFull += 1;
    if (code === "FORBIDDEN") this.#counters.forbidden += 1;
    if (this.#events.has("rejected")) this.#events.emit("rejected", name, code);
    if (this.#events.has("log")) this.#events.emit("log", `request failed: ${reason ?? reasonOf(code, name)}`);
    if (!request.wantsError) return;
    const out = replyHead(request, request.service.frame, false);
    this.#send(request.door, pushFrom(out, errorBody(code, reason ?? reasonOf(code, name)), 0));
  }

  /** Nothing waits: no timer is to keep a process alive. */
  stopExpiring(): void {
    this.#expiries.stop();
  }

  /** Takes out of the queue what its caller does not want any more. */
  withdraw(service: Service, which: (request: Request) => boolean): Request[] {
    const withdrawn = service.waiting.remove(which);
    for (const request of withdrawn) this.#left(request);
    this.#counters.cancelled += withdrawn.length;
    if (withdrawn.length > 0) this.forget(service);
    return withdrawn;
  }

  #enqueue(request: Request): void {
    request.service.waiting.add(request);
    this.waiting += 1;
    this.waitingBytes += request.bytes;
    this.#expiries.watch(request.service.deadline);
  }

  /** Takes out what waits for too long. */
  #expire(service: Service): void {
    const now = this.#settings.clock.now();
    for (const request of service.waiting.remove(({ expiresAt }) => expiresAt <= now)) {
      this.#left(request);
      this.#expired(request);
    }
    if (service.waiting.size > 0) this.#expiries.watch(service.deadline);
    this.forget(service);
  }

  #left(request: Request): void {
    this.waiting -= 1;
    this.waitingBytes -= request.bytes;
  }

  #next(service: Service, now: number): Request | undefined {
    for (;;) {
      const request = service.waiting.take();
      if (request === undefined) return undefined;
      this.#left(request);
      if (request.expiresAt > now) return request;
      this.#expired(request);
    }
  }

  #expired(request: Request): void {
    this.#counters.expired += 1;
    if (this.#events.has("expired")) this.#events.emit("expired", request.service.name);
    this.fail(request, request.service.workers > 0 ? "EXPIRED" : "NO_WORKER");
  }

  #selected(service: Service, first: Worker): Worker {
    const idle = service.idle();
    const infos = idle.map((worker) => worker.info());
    let chosen: MdpWorkerInfo | undefined;
    try {
      chosen = this.#settings.selectWorker?.(infos, service.name);
    } catch (thrown) {
      this.#events.log(() => `selectWorker threw: ${String(thrown)}`);
    }
    return chosen === undefined ? first : (idle[infos.indexOf(chosen)] ?? first);
  }
}
