import {
  type Capabilities,
  type CloseOptions,
  type Handler,
  type Listener,
  type ListenerEvents,
  type Peers,
  RpcError,
} from "@rpc/core";
import {
  DeadlineSweep,
  guarded,
  isPromiseLike,
  MAX_TIMER_MS,
  type MethodDescriptor,
  shown,
  type StatusCode,
} from "@rpc/core/transport";
import { type ActionBody, readBody, resultOf, valueOf, valueOfBytes } from "../calls/body.ts";
import { capabilitiesOf } from "../calls/capabilities.ts";
import { refused, wholeNumber } from "../calls/errors.ts";
import { type CallMeta, NO_META, ownMember, readMeta } from "../calls/meta.ts";
import { errorText } from "../calls/reply.ts";
import { publishEvents } from "../pubsub/publish-events.ts";
import { createMdpPublisher, type MdpPublisher } from "../pubsub/publisher.ts";
import { NO_PEERS } from "./no-peers.ts";
import { type MdpListenerOptions, workerSettings } from "./options.ts";
import type { WorkerRequest } from "./registration.ts";
import { type CallHost, WorkerCall } from "./worker-call.ts";
import { WorkerPool } from "./worker-pool.ts";

/**
 * Serves a handler as a worker of a Majordomo broker: under the service that `service` says, or under one for each contract. A request's
 * action is the method's name, with its contract's name or without; every request is answered, whatever it holds. The broker need not be
 * there yet. Throws INVALID_ARGUMENT for options that cannot be right.
 */
export async function serveMdp(handler: Handler, options: MdpListenerOptions): Promise<Listener> {
  return new MdpListener(handler, options);
}

class MdpListener implements Listener, CallHost {
  readonly endpoint: string;
  readonly capabilities: Capabilities;
  readonly maxMetadataBytes: number;
  readonly exposeStacks: boolean;
  readonly isGateway: boolean;
  readonly #handler: Handler;
  readonly #served: Handler;
  readonly #pool: WorkerPool;
  readonly #sweep: DeadlineSweep;
  /** Calls that are owed a reply. */
  readonly #open = new Set<WorkerCall>();
  /** Handlers that have not settled, those that nobody waits for any more among them. */
  #running = 0;
  #publisher: MdpPublisher | undefined = undefined;
  #endEvents: (() => void) | undefined = undefined;
  #draining = false;
  #idle: (() => void) | undefined = undefined;
  #closing: Promise<void> | undefined = undefined;

  constructor(handler: Handler, options: MdpListenerOptions) {
    const settings = workerSettings(options);
    const { clock, version, broker, onError } = settings;
    this.endpoint = broker;
    this.capabilities = capabilitiesOf(version === "0.2");
    this.maxMetadataBytes = wholeNumber("maxMetadataBytes", options.maxMetadataBytes, 16 * 1024);
    this.exposeStacks = options.exposeStacks ?? false;
    this.isGateway = handler.contracts.length === 0;
    this.#handler = handler;
    this.#served = guarded(handler, options, clock);
    this.report = onError;
    this.#sweep = new DeadlineSweep(clock, () => this.#open);
    if (options.events !== undefined) {
      this.#publisher = createMdpPublisher(options.events, {
        credentials: settings.credentials,
        linkHeartbeatMs: settings.linkHeartbeatMs,
        clock,
      });
      this.#publisher.ready.catch((thrown: unknown) => onError(RpcError.from(thrown)));
      this.#endEvents = publishEvents(this.#served, this.#publisher, onError);
    }
    this.#pool = new WorkerPool(servicesOf(handler, options.service), settings, {
      request: (request) => this.#take(request),
      lost: (request) =>
        this.#endOf(request, "UNAVAILABLE", "PEER_LOST", "the broker is gone, and the request with it"),
      cancelled: (request) => this.#endOf(request, "CANCELLED", "CANCELLED", "the caller has left"),
    });
  }

  readonly report: (error: RpcError) => void;

  get peers(): Peers {
    return NO_PEERS;
  }

  // Clients are behind the broker: nobody hears when they come and go.
  on<Name extends keyof ListenerEvents>(): () => void {
    return () => undefined as ListenerEvents[Name] | undefined;
  }

  finished(): void {
    this.#running -= 1;
    this.#checkIdle();
  }

  settled(call: WorkerCall): void {
    this.#open.delete(call);
    if (this.#open.size === 0) this.#sweep.stop();
    this.#checkIdle();
  }

  close({ drainMs = 0 }: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(drainMs: number): Promise<void> {
    this.#draining = true;
    this.#pool.leave();
    const { clock } = this.#pool.settings;
    if (drainMs > 0 && this.#isBusy) {
      await new Promise<void>((resolve) => {
        const timer = clock.setTimeout(resolve, Math.min(drainMs, MAX_TIMER_MS));
        this.#idle = () => {
          clock.clearTimeout(timer);
          resolve();
        };
      });
    }
    const reason = new RpcError("UNAVAILABLE", "the worker is closing", { reason: "DRAINING", delivered: "unknown" });
    for (const call of this.#open) call.end(reason);
    this.#sweep.stop();
    this.#pool.close();
    this.#endEvents?.();
    await this.#publisher?.close();
  }

  get #isBusy(): boolean {
    return this.#open.size > 0 || this.#running > 0;
  }

  #checkIdle(): void {
    if (!this.#isBusy) this.#idle?.();
  }

  #take(request: WorkerRequest): void {
    let body: ActionBody | undefined;
    try {
      if (this.#pool.isTooLarge(request))
        throw new RpcError(
          "RESOURCE_EXHAUSTED",
          `the request is larger than ${this.#pool.settings.maxMessageBytes} bytes`,
          {
            reason: "maxMessageBytes",
            delivered: "no",
          },
        );
      body = readBody(request.body);
      this.#start(request, body);
    } catch (thrown) {
      const error = RpcError.from(thrown);
      const data = errorText(error, undefined, undefined, 0, this.exposeStacks);
      request.reply([Buffer.from(body === undefined ? "error" : resultOf(body.action)), Buffer.from(data)]);
    }
  }

  /** Nobody waits for the reply any more: whoever works on it is told. */
  #endOf(request: WorkerRequest, code: StatusCode, reason: string, text: string): void {
    for (const call of this.#open) {
      if (call.request !== request) continue;
      return call.end(new RpcError(code, `${call.method.name}: ${text}`, { reason, delivered: "unknown" }));
    }
  }

  /** Throws what is wrong with a request before it is a call. */
  #start(request: WorkerRequest, body: ActionBody): void {
    const { data } = body;
    const meta = Object.hasOwn(data, "$meta") ? readMeta(data["$meta"], this.maxMetadataBytes) : NO_META;
    const method = this.#methodOf(request.service, body.action, meta);
    if (this.#draining)
      throw new RpcError("UNAVAILABLE", `${method.name}: the worker is closing`, {
        reason: "DRAINING",
        delivered: "no",
      });
    const input = meta.isBinary ? valueOfBytes(method.input, body.bytes) : valueOf(method.input, inputJson(data));
    const { clock } = this.#pool.settings;
    const deadline = deadlineOf(method, meta, clock.now());
    const call = new WorkerCall(this, request, method, body, meta, deadline);
    if (deadline !== undefined && deadline <= clock.now()) return call.expire();
    this.#running += 1;
    if (method.kind === "notification") return this.#notify(call, input);
    this.#open.add(call);
    if (deadline !== undefined) this.#sweep.watch(deadline);
    if (method.kind === "serverStream") {
      void call.runStream(this.#served.stream(asStream(input), call));
      return;
    }
    call.run(() => this.#served.call(input, call));
  }

  /**
   * Answered as soon as it is taken up; what becomes of it is the listener's affair. Where too much runs already it is answered when it is over:
   * so long the broker gives its place to nobody else.
   */
  #notify(call: WorkerCall, input: unknown): void {
    if (this.#running <= MOST_RUNNING) call.accepted();
    const ended = (): void => {
      call.accepted();
      this.finished();
    };
    const failed = (thrown: unknown): void => {
      this.report(RpcError.from(thrown));
      ended();
    };
    try {
      const output = this.#served.call(input, call);
      if (isPromiseLike(output)) Promise.resolve(output).then(ended, failed);
      else ended();
    } catch (thrown) {
      failed(thrown);
    }
  }

  #methodOf(service: string, action: string, { kind }: CallMeta): MethodDescriptor {
    const handler = this.#handler;
    const found =
      kind === undefined
        ? (handler.method(action, "unary") ?? handler.method(`${service}.${action}`, "unary"))
        : this.#ofKind(action, kind);
    if (found !== undefined) return found;
    // Peers that know no kinds ask for notifications as for anything else.
    const told =
      kind === undefined
        ? (handler.method(action, "notification") ?? handler.method(`${service}.${action}`, "notification"))
        : undefined;
    return told ?? unimplemented(handler, action, kind ?? "unary");
  }

  #ofKind(action: string, kind: MethodDescriptor["kind"]): MethodDescriptor | undefined {
    if (kind === "notification" || kind === "unary") return this.#handler.method(action, kind);
    if (kind !== "serverStream" || this.#pool.settings.version !== "0.2") return undefined;
    return this.#handler.method(action, kind);
  }
}

/** Handlers at the same time beyond which notifications are no longer acknowledged before they are over. */
const MOST_RUNNING = 1_000;

/** The JSON that a request's input is: `args`, or all of the data where somebody writes it without. */
function inputJson(data: Readonly<Record<string, unknown>>): unknown {
  if (Object.hasOwn(data, "args")) return ownMember(data, "args");
  if (!Object.hasOwn(data, "$meta")) return data;
  const { $meta: _, ...rest } = data;
  return Object.keys(rest).length === 0 ? undefined : rest;
}

function deadlineOf(method: MethodDescriptor, { timeoutMs }: CallMeta, now: number): number | undefined {
  const ownMs = method.timeoutMs;
  if (timeoutMs === undefined) return ownMs === undefined ? undefined : now + ownMs;
  return now + (ownMs === undefined ? timeoutMs : Math.min(ownMs, timeoutMs));
}

async function* asStream(input: unknown): AsyncIterable<unknown> {
  yield input;
}

function servicesOf({ contracts }: Handler, service: string | undefined): readonly string[] {
  if (service !== undefined) return [service];
  if (contracts.length > 0) return contracts.map(({ name }) => name);
  throw refused("a handler that names no contracts, such as a gateway, needs the option service");
}

function unimplemented(handler: Handler, name: string, kind: string): never {
  const dot = name.lastIndexOf(".");
  const contractName = name.slice(0, Math.max(dot, 0));
  const contract = handler.contracts.find((served) => served.name === contractName);
  let message: string;
  if (contract === undefined)
    message = `${shown(name)}: contract ${JSON.stringify(shown(contractName))} is not served here`;
  else if (contract.methods.has(name.slice(dot + 1)))
    message = `${shown(name)}: is not of kind ${kind}; do both ends have the same contract?`;
  else message = `${shown(name)}: contract ${contractName} has no such method`;
  throw new RpcError("UNIMPLEMENTED", message, {
    reason: contract === undefined ? "CONTRACT_NOT_FOUND" : "METHOD_NOT_FOUND",
    delivered: "no",
  });
}
