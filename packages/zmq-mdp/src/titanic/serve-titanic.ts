import { randomUUID } from "node:crypto";
import { RpcError } from "@rpc/core";
import { Backoff, type BackoffOptions } from "@rpc/core/transport";
import { wholeNumber } from "../calls/errors.ts";
import { createMdpClient, type MdpClient } from "../classic/create-mdp-client.ts";
import type { MdpClientDialect } from "../client/options.ts";
import { serviceNameOf } from "../frames/names.ts";
import type { Frames } from "../frames/words.ts";
import { type MdpWorkerOptions, workerSettings } from "../worker/options.ts";
import type { WorkerRequest } from "../worker/registration.ts";
import { WorkerPool } from "../worker/worker-pool.ts";
import type { TitanicRequest, TitanicStore } from "./titanic-store.ts";

/** Options of `serveTitanic`. `concurrency` counts requests of each of its three services. */
export interface TitanicOptions extends MdpWorkerOptions {
  readonly store: TitanicStore;
  /** Kept requests that are with their services at the same time. Default: 16. */
  readonly inFlight?: number | undefined;
  /** How long a service may take to answer, each time it is asked. Default: 60,000. */
  readonly requestTimeoutMs?: number | undefined;
  /** Waits before a service that is not there is asked for again. Default: up to 1,000, growing to 60,000. */
  readonly retry?: BackoffOptions | undefined;
  /** Requests kept without an answer; a further one is answered 500. Default: 100,000. */
  readonly maxPending?: number | undefined;
  /** What the broker is. Default: `domogik`. */
  readonly dialect?: MdpClientDialect | undefined;
}

/** Titanic at its work. */
export interface Titanic extends AsyncDisposable {
  /** Kept requests whose services have not answered. */
  readonly pendingCount: number;
  /** Idempotent. What is kept stays kept; what is with a service is asked for again the next time. When it resolves the store is not used any more. */
  close(): Promise<void>;
}

/**
 * Serves `titanic.request`, `titanic.reply` and `titanic.close` (9/Titanic): keeps requests until their services have answered, over
 * restarts of everybody. A service may be asked more than once. Resolves when the requests that were kept before are taken up.
 */
export async function serveTitanic(options: TitanicOptions): Promise<Titanic> {
  const titanic = new TitanicWorker(options);
  try {
    await titanic.resume();
  } catch (thrown) {
    await titanic.close();
    throw thrown;
  }
  return titanic;
}

const SERVICES: readonly string[] = ["titanic.request", "titanic.reply", "titanic.close"];
const OK = Buffer.from("200");
const PENDING = Buffer.from("300");
const UNKNOWN = Buffer.from("400");
const FAILED = Buffer.from("500");

class TitanicWorker implements Titanic {
  readonly #store: TitanicStore;
  readonly #pool: WorkerPool;
  readonly #client: MdpClient;
  readonly #inFlight: number;
  readonly #requestTimeoutMs: number;
  readonly #retry: BackoffOptions;
  /** By id; a request that is removed is no longer in here, and its turn passes. */
  readonly #requests = new Map<string, Kept>();
  readonly #waiting: Kept[] = [];
  readonly #maxPending: number;
  /** Verbs of the store, and requests that are with their services. */
  readonly #busy = new Set<Promise<void>>();
  #running = 0;
  #closed: Promise<void> | undefined = undefined;

  constructor(options: TitanicOptions) {
    const settings = workerSettings(options);
    const { broker, credentials, clock, maxMessageBytes } = settings;
    this.#store = options.store;
    this.#inFlight = wholeNumber("inFlight", options.inFlight, 16, 1);
    this.#requestTimeoutMs = wholeNumber("requestTimeoutMs", options.requestTimeoutMs, 60_000, 1);
    this.#retry = { minMs: 1_000, maxMs: 60_000, ...options.retry };
    this.#maxPending = wholeNumber("maxPending", options.maxPending, 100_000, 0);
    const { linkHeartbeatMs } = settings;
    this.#client = createMdpClient(broker, {
      dialect: options.dialect,
      credentials,
      clock,
      maxMessageBytes,
      linkHeartbeatMs,
    });
    this.#pool = new WorkerPool(SERVICES, settings, { request: (request) => this.#until(this.#take(request)) });
  }

  get pendingCount(): number {
    return this.#requests.size;
  }

  async resume(): Promise<void> {
    for (const request of await this.#store.pending()) this.#add(request);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { clock } = this.#pool.settings;
    for (const { timer } of this.#requests.values()) if (timer !== undefined) clock.clearTimeout(timer);
    this.#pool.close();
    await this.#client.close();
    await Promise.all(this.#busy);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #until(work: Promise<void>): void {
    this.#busy.add(work);
    void work.then(() => this.#busy.delete(work));
  }

  /** Never rejects. */
  async #take(request: WorkerRequest): Promise<void> {
    try {
      request.reply(await this.#answer(request.service, request.body));
    } catch (thrown) {
      this.#pool.settings.onError(RpcError.from(thrown));
      request.reply([FAILED]);
    }
  }

  async #answer(asked: string, frames: Frames): Promise<Frames> {
    const [first, ...body] = frames;
    if (asked === "titanic.request") return this.#keep(first, body);
    const id = Buffer.from(first ?? []).toString("latin1");
    if (!/^[0-9a-f]{32}$/.test(id)) return [UNKNOWN];
    if (asked === "titanic.close") {
      await this.#store.remove(id);
      this.#requests.delete(id);
      return [OK];
    }
    const state = await this.#store.get(id);
    if (state.kind === "answered") return [OK, ...state.reply];
    return [state.kind === "pending" ? PENDING : UNKNOWN];
  }

  async #keep(name: Uint8Array | undefined, body: Frames): Promise<Frames> {
    const service = name === undefined ? undefined : serviceNameOf(name);
    // What the broker and we ourselves serve is never kept: it would go round in circles.
    if (service === undefined || body.length === 0 || /^(mmi|titanic)\./.test(service)) return [UNKNOWN];
    if (this.#requests.size >= this.#maxPending)
      throw new RpcError("RESOURCE_EXHAUSTED", `${this.#maxPending} requests wait for their services already`, {
        reason: "maxPending",
      });
    const request = { id: randomUUID().replaceAll("-", ""), service, body };
    await this.#store.put(request);
    this.#add(request);
    return [OK, Buffer.from(request.id)];
  }

  #add(request: TitanicRequest): void {
    const kept: Kept = { request, backoff: new Backoff(this.#retry), timer: undefined };
    this.#requests.set(request.id, kept);
    this.#waiting.push(kept);
    this.#next();
  }

  #next(): void {
    while (this.#running < this.#inFlight && this.#closed === undefined) {
      const kept = this.#waiting.shift();
      if (kept === undefined) return;
      if (this.#requests.get(kept.request.id) !== kept) continue;
      this.#running += 1;
      this.#until(
        this.#bring(kept).then(() => {
          this.#running -= 1;
          this.#next();
        }),
      );
    }
  }

  /** Asks the service, if there is one. Never rejects. */
  async #bring(kept: Kept): Promise<void> {
    const { id, service, body } = kept.request;
    const { clock, onError } = this.#pool.settings;
    const patience = { timeoutMs: this.#requestTimeoutMs };
    try {
      if (await this.#client.isServed(service, patience)) {
        const reply = await this.#client.rawRequest(service, body, patience);
        // Closed by its caller in the meantime: nobody wants the reply.
        if (this.#requests.get(id) === kept) await this.#store.answer(id, reply);
        this.#requests.delete(id);
        return;
      }
    } catch (thrown) {
      if (this.#closed === undefined) onError(RpcError.from(thrown));
    }
    if (this.#closed !== undefined || this.#requests.get(id) !== kept) return;
    kept.timer = clock.setTimeout(() => {
      kept.timer = undefined;
      this.#waiting.push(kept);
      this.#next();
    }, kept.backoff.nextMs());
  }
}

interface Kept {
  readonly request: TitanicRequest;
  readonly backoff: Backoff;
  timer: unknown;
}
