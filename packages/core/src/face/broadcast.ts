import type {
  BroadcastOptions,
  BroadcastReport,
  CallAllOptions,
  PeerFailure,
  PeerReply,
  Peers,
} from "../words/broadcast.ts";
import type { Clock } from "../words/clock.ts";
import { type ContractMethod, DESCRIPTOR, type MethodDefinition } from "../words/contract.ts";
import type { MethodDescriptor } from "../words/method.ts";
import type { EncodedPayload } from "../words/payload.ts";
import type { Peer } from "../words/peer.ts";
import { RpcError } from "../words/rpc-error.ts";
import type { SessionPeer } from "../machines/session-peer.ts";
import { Fifo } from "../tools/fifo.ts";
import { encodedNow, payloadOf } from "../tools/payloads.ts";
import { CallerContext } from "./caller-context.ts";

/** The peers of a listener over sessions, kept in the order they came. */
export class PeerSet implements Peers {
  readonly #clock: Clock;
  readonly #peers = new Set<SessionPeer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#peers.size;
  }

  add(peer: SessionPeer): void {
    this.#peers.add(peer);
  }

  delete(peer: SessionPeer): boolean {
    return this.#peers.delete(peer);
  }

  [Symbol.iterator](): Iterator<Peer> {
    return this.#peers.values();
  }

  broadcast(
    method: ContractMethod<MethodDefinition<"notification">>,
    input?: unknown,
    options: BroadcastOptions = {},
  ): BroadcastReport {
    const descriptor = methodOf(method, "notification");
    const payload = encodedInput(descriptor, input);
    const broadcast = new Broadcast();
    const { filter, ack, metadata } = options;
    for (const peer of this.#chosen(filter)) {
      const context = new CallerContext(descriptor, { ack, metadata }, this.#clock, undefined);
      broadcast.open++;
      peer.patterns.notify(
        payload,
        context,
        () => broadcast.succeeded(),
        (error) => broadcast.fail(peer, error),
      );
    }
    broadcast.allStarted();
    return broadcast;
  }

  callAll(
    method: ContractMethod<MethodDefinition<"unary">>,
    input?: unknown,
    options: CallAllOptions = {},
  ): AsyncIterable<PeerReply<never>> {
    const descriptor = methodOf(method, "unary");
    const payload = encodedInput(descriptor, input);
    const replies = new Replies();
    for (const peer of this.#chosen(options.filter)) {
      const context = new CallerContext(descriptor, options, this.#clock, undefined);
      replies.await(peer, Promise.resolve(peer.call(payload, context)), context);
    }
    // Typed by the method that was passed.
    return replies as AsyncIterable<PeerReply<unknown>> as AsyncIterable<PeerReply<never>>;
  }

  random(filter?: (peer: Peer) => boolean): Peer | undefined {
    const chosen = this.#callable(filter);
    return chosen[Math.floor(Math.random() * chosen.length)];
  }

  leastBusy(filter?: (peer: Peer) => boolean): Peer | undefined {
    let found: Peer | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const peer of this.#callable(filter)) {
      const { callsInFlight } = peer;
      if (callsInFlight >= fewest) continue;
      fewest = callsInFlight;
      found = peer;
    }
    return found;
  }

  /** Those that a call reaches at once; when there is none, those at which it waits for the connection to come back. */
  #callable(filter: ((peer: Peer) => boolean) | undefined): readonly SessionPeer[] {
    const chosen = this.#chosen(filter);
    const connected = chosen.filter((peer) => peer.connected);
    return connected.length > 0 ? connected : chosen;
  }

  /** A copy: peers come and go while they are told. */
  #chosen(filter: ((peer: Peer) => boolean) | undefined): readonly SessionPeer[] {
    const peers = [...this.#peers];
    return filter === undefined ? peers : peers.filter((peer) => filter(peer));
  }
}

class Broadcast implements BroadcastReport {
  readonly failed: PeerFailure[] = [];
  readonly accepted: Promise<number>;
  sent = 0;
  /** Peers whose part is not settled. */
  open = 0;
  #succeeded = 0;
  #isStarting = true;
  #settle: (count: number) => void = () => undefined;

  constructor() {
    this.accepted = new Promise((resolve) => (this.#settle = resolve));
  }

  succeeded(): void {
    this.#succeeded++;
    this.#close();
  }

  fail(peer: Peer, error: RpcError): void {
    this.failed.push({ peer, error });
    this.#close();
  }

  allStarted(): void {
    this.#isStarting = false;
    this.sent = this.open + this.#succeeded;
    if (this.open === 0) this.#settle(this.#succeeded);
  }

  #close(): void {
    if (--this.open === 0 && !this.#isStarting) this.#settle(this.#succeeded);
  }
}

/** Answers in the order they come, for one reader. */
class Replies implements AsyncIterableIterator<PeerReply<unknown>, undefined> {
  readonly #ready = new Fifo<PeerReply<unknown>>();
  readonly #waiters = new Fifo<(step: IteratorResult<PeerReply<unknown>, undefined>) => void>();
  readonly #open = new Set<CallerContext>();

  await(peer: Peer, reply: Promise<unknown>, context: CallerContext): void {
    this.#open.add(context);
    const settled = (answer: PeerReply<unknown>): void => {
      if (!this.#open.delete(context)) return;
      const waiter = this.#waiters.shift();
      if (waiter === undefined) this.#ready.push(answer);
      else waiter({ done: false, value: answer });
      if (this.#open.size === 0) this.#endWaiters();
    };
    reply.then(
      (result) => settled({ peer, result }),
      (thrown: unknown) => settled({ peer, error: RpcError.from(thrown) }),
    );
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<PeerReply<unknown>, undefined>> {
    const value = this.#ready.shift();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (this.#open.size === 0) return Promise.resolve(DONE);
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  return(): Promise<IteratorResult<PeerReply<unknown>, undefined>> {
    const contexts = [...this.#open];
    this.#open.clear();
    this.#ready.clear();
    this.#endWaiters();
    for (const context of contexts) {
      const message = `${context.method.name}: nobody reads the answers any more`;
      context.cancelWith(new RpcError("CANCELLED", message, { reason: "CANCELLED" }));
    }
    return Promise.resolve(DONE);
  }

  #endWaiters(): void {
    for (let waiter = this.#waiters.shift(); waiter !== undefined; waiter = this.#waiters.shift()) waiter(DONE);
  }
}

const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

function methodOf(method: ContractMethod, kind: "notification" | "unary"): MethodDescriptor {
  const descriptor: MethodDescriptor | undefined = method[DESCRIPTOR];
  if (descriptor?.kind === kind) return descriptor;
  const what = descriptor === undefined ? "no method of a contract" : `of kind ${descriptor.kind}`;
  throw new RpcError("INVALID_ARGUMENT", `${descriptor?.name ?? "the method"} is ${what}, and a ${kind} is due`, {
    reason: "INVALID_ARGUMENT",
  });
}

/** Encoded once, however many get it. */
function encodedInput(method: MethodDescriptor, input: unknown): EncodedPayload {
  try {
    return encodedNow(payloadOf(method.input.codec, input));
  } catch (thrown) {
    const { code, message, reason, details } = RpcError.from(thrown);
    throw new RpcError(code, `${method.name}: ${message}`, { reason, details, cause: thrown, delivered: "no" });
  }
}
