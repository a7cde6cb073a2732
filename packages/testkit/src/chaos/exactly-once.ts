import { type ClientOf, createClient, mergeRouters, type Peer, RpcError } from "@rpc/core";
import {
  type Channel,
  type Clock,
  createSessionListener,
  createSessionTransport,
  type Handler,
  jsonEnvelopeCodec,
  type SessionListener,
  type SessionTransport,
} from "@rpc/core/transport";
import type { FakeClock } from "../fake-clock.ts";
import { type ChannelFault, type ChannelPlan, type ChaosChannels, createChaosChannels } from "./channels.ts";
import { type Amounts, type Direction, isHeard, judgeDirection } from "./direction.ts";
import { checkItems, createWorker, itemsOf, type Order, sleep, Work } from "./ledger.ts";
import { createNewsDesk, type NewsDesk, readNews } from "./news.ts";
import { nextTurn } from "./next-turn.ts";
import { createRandom, type Random } from "./random.ts";

/** What a pair of sessions is made of. Pass `session` on as it stands: its times fit the faults. */
export interface ScenarioParts {
  /** For the dialing half. */
  readonly dial: (signal: AbortSignal) => Promise<Channel>;
  /** What the listening half serves. */
  readonly handler: Handler;
  /** What the dialing half serves. */
  readonly serve: Handler;
  readonly clock: Clock;
  readonly session: typeof SESSION & { readonly resumeWindowMs: number };
  readonly onError: (error: RpcError) => void;
}

/** Both halves of a session. */
export interface ScenarioPair {
  readonly transport: SessionTransport;
  readonly listener: SessionListener;
}

/** What is to hold. */
export type DeliveryPromise =
  /** Every call is run once and answered, every stream complete: sessions resume. */
  | "exactly-once"
  /** No call is run twice, what fails says truly whether it was delivered, and streams end early at most: sessions end with their connection. */
  | "at-most-once";

/** Options of `exactlyOnce`. */
export interface ExactlyOnceOptions {
  readonly seed: number;
  /** A clock of this scenario's own: at the end no timer may be left on it. */
  readonly clock: FakeClock;
  /** Makes the sessions. Default: those of @rpc/core with JSON envelopes. */
  readonly pair?: (parts: ScenarioParts) => ScenarioPair;
  /** Default: `exactly-once`. */
  readonly promise?: DeliveryPromise;
  /** Unary calls, in each direction. Default: 60. */
  readonly calls?: number;
  /** Streams, a third of each shape, in each direction. Default: 6. */
  readonly streams?: number;
  /** Notifications, in each direction. Default: 30. */
  readonly notifications?: number;
  /** Events of a topic, in each direction; only with `exactly-once`. Default: 30. */
  readonly events?: number;
  /** Time over which all of it is begun. Default: 4,000. */
  readonly spreadMs?: number;
  readonly plan?: ChannelPlan;
}

/** What came of it. */
export interface ExactlyOnceReport {
  readonly seed: number;
  readonly faults: Readonly<Record<ChannelFault, number>>;
  readonly done: number;
  readonly failed: number;
  /** Time on the clock from the first call to the last answer. */
  readonly elapsedMs: number;
  /** Sentences; empty when all held. */
  readonly violations: readonly string[];
  /** What happened to the connections, line by line. */
  readonly story: readonly string[];
}

/** Times that fit the default plan: every outage is found and mended well within the window. */
const SESSION = {
  heartbeatMs: 400,
  aliveMs: 1_200,
  unauthenticatedTimeoutMs: 1_000,
  connectTimeoutMs: 1_000,
  reconnect: { minMs: 10, maxMs: 200, factor: 2 },
} as const;
const RESUME_WINDOW_MS = 30_000;
const STEP_MS = 2;
/** On the clock; nothing takes longer but what never ends. */
const PATIENCE_MS = 120_000;
const MOST_SHOWN = 12;

/**
 * Calls, streams, notifications and events both ways over connections that come to harm, all on the fake clock. Throws an Error that
 * names the seed, what did not hold and what had happened. A seed takes some tens of milliseconds.
 */
export async function exactlyOnce(options: ExactlyOnceOptions): Promise<ExactlyOnceReport> {
  const report = await exactlyOnceReport(options);
  const { seed, violations, story } = report;
  if (violations.length === 0) return report;
  const lines = [...violations.slice(0, MOST_SHOWN), "what had happened:", ...story.slice(-2 * MOST_SHOWN)];
  const head = `seed ${seed} broke ${options.promise ?? "exactly-once"}, ${violations.length} violations:`;
  throw new Error(`${head}\n${lines.join("\n")}`);
}

/** The same, and what did not hold stands in the report. One at a time in a process: while it runs, Math.random follows the seed. */
export async function exactlyOnceReport(options: ExactlyOnceOptions): Promise<ExactlyOnceReport> {
  // Pauses between dials are drawn from it; with another sequence the same seed would be another story.
  const { random } = Math;
  const seeded = createRandom(options.seed);
  Math.random = () => seeded.next();
  try {
    const scenario = new Scenario(options);
    await scenario.run();
    return scenario.report();
  } finally {
    Math.random = random;
  }
}

class Scenario {
  readonly #options: ExactlyOnceOptions;
  readonly #clock: FakeClock;
  readonly #random: Random;
  readonly #channels: ChaosChannels;
  readonly #pair: ScenarioPair;
  readonly #directions: readonly Direction[];
  readonly #violations: string[] = [];
  readonly #exactly: boolean;
  readonly #began: number;
  #peer: Peer | undefined;
  #judged = false;
  #running = 0;
  #done = 0;
  #failed = 0;
  #elapsedMs = 0;

  constructor(options: ExactlyOnceOptions) {
    const { clock, seed, plan } = options;
    this.#options = options;
    this.#clock = clock;
    this.#random = createRandom(seed);
    this.#exactly = (options.promise ?? "exactly-once") === "exactly-once";
    this.#began = clock.now();
    const server = createWorker("server", clock);
    const client = createWorker("client", clock);
    const serverDesk = this.#exactly ? createNewsDesk() : undefined;
    const clientDesk = this.#exactly ? createNewsDesk() : undefined;
    this.#channels = createChaosChannels({
      seed: this.#random.fork().between(0, 2 ** 31),
      clock,
      accept: (channel) => this.#pair.listener.accept(channel),
      // Until there is a session there is nothing to resume: the first dial fails its calls when it fails.
      plan: { ...(this.#exactly ? { spared: 1 } : {}), ...plan },
    });
    const makePair = options.pair ?? sessionPair;
    this.#pair = makePair({
      dial: (signal) => this.#channels.dial(signal),
      handler: withDesk(server.handler, serverDesk),
      serve: withDesk(client.handler, clientDesk),
      clock,
      session: { ...SESSION, resumeWindowMs: this.#exactly ? RESUME_WINDOW_MS : 0 },
      // Lost connections are what this is about; a session that breaks the protocol is not.
      onError: (error) => {
        if (error.reason === "PROTOCOL") this.#violations.push(`reported: ${error.message}`);
      },
    });
    const { transport, listener } = this.#pair;
    const caller = createClient(Work, transport);
    listener.on("client-connected", (peer) => {
      this.#peer = peer;
    });
    listener.on("client-disconnected", (peer) => {
      if (this.#peer === peer) this.#peer = undefined;
    });
    this.#directions = [
      {
        name: "client → server",
        ledger: server.ledger,
        desk: clientDesk,
        ends: new Map(),
        client: () => Promise.resolve(caller),
      },
      {
        name: "server → client",
        ledger: client.ledger,
        desk: serverDesk,
        ends: new Map(),
        client: async () => (await this.#anyPeer()).client(Work),
      },
    ];
  }

  async run(): Promise<void> {
    const { calls = 60, streams = 6, notifications = 30, events = 30, spreadMs = 4_000 } = this.#options;
    const amounts: Amounts = { calls, streams, notifications, events };
    if (this.#exactly) {
      this.#start("the first handshake", () => this.#pair.transport.ready());
      this.#start("subscribing", () => this.#subscribe());
      await this.#drive(() => this.#running === 0, "subscribing");
    }
    for (const direction of this.#directions) {
      for (let n = 0; n < calls; n += 1) this.#at(spreadMs, `call ${n}`, () => this.#call(direction, n));
      for (let n = 0; n < streams; n += 1) this.#at(spreadMs, `stream ${n}`, () => this.#stream(direction, n));
      // One after the other: they have an order.
      this.#start("notifying", () => this.#notify(direction, notifications, spreadMs));
      if (direction.desk !== undefined) this.#start("publishing", () => this.#publish(direction, events, spreadMs));
    }
    const calm = this.#clock.setTimeout(() => this.#channels.calm(), 2 * spreadMs);
    const isHeardAll = (): boolean =>
      !this.#exactly || this.#directions.every((direction) => isHeard(direction, amounts));
    await this.#drive(() => this.#running === 0 && isHeardAll(), "the calls");
    this.#elapsedMs = this.#clock.now() - this.#began;
    // Handlers whose callers are gone come to their end, so that their timers are not taken for the session's.
    if (!this.#exactly) await this.#drive(() => this.#clock.now() - this.#began > this.#elapsedMs + 1_000, "handlers");
    this.#clock.clearTimeout(calm);
    // Before closing: what hangs by now fails then, and that is not its answer.
    for (const direction of this.#directions) {
      for (const text of judgeDirection(direction, amounts, this.#exactly))
        this.#violations.push(`${direction.name}: ${text}`);
    }
    this.#judged = true;
    await this.#close();
  }

  report(): ExactlyOnceReport {
    return {
      seed: this.#options.seed,
      faults: this.#channels.counts,
      done: this.#done,
      failed: this.#failed,
      elapsedMs: this.#elapsedMs,
      violations: this.#violations,
      story: this.#channels.story,
    };
  }

  #at(spreadMs: number, what: string, run: () => Promise<void>): void {
    this.#start(what, async () => {
      await sleep(this.#clock, this.#random.between(0, spreadMs));
      await run();
    });
  }

  #start(what: string, run: () => Promise<void>): void {
    this.#running += 1;
    run().then(
      () => (this.#running -= 1),
      (thrown: unknown) => {
        this.#running -= 1;
        this.#violations.push(`${what} threw ${String(thrown)}`);
      },
    );
  }

  async #call({ name, ends, client }: Direction, n: number): Promise<void> {
    const order: Order = { n, ms: this.#random.chance(0.5) ? 0 : this.#random.between(1, 300), items: 0 };
    try {
      const answer = await (await client()).run(order);
      if (answer !== n) this.#violations.push(`${name}: call ${n} was answered ${JSON.stringify(answer)}`);
      ends.set(n, "done");
      this.#done += 1;
    } catch (thrown) {
      ends.set(n, this.#fail(`${name}: call ${n}`, thrown));
    }
  }

  async #stream({ name, client }: Direction, n: number): Promise<void> {
    const order: Order = { n, ms: this.#random.between(0, 40), items: this.#random.between(1, 80) };
    const place = `${name}: stream ${n}`;
    const complain = (text: string): void => void this.#violations.push(`${name}: ${text}`);
    try {
      const work = await client();
      const { count } = await this.#exchange(work, order, complain);
      if (count !== order.items) this.#violations.push(`${place} ended after ${count} of ${order.items} items`);
      this.#done += 1;
    } catch (thrown) {
      this.#fail(place, thrown);
    }
  }

  /** One of the three shapes of a stream, by its number. */
  #exchange(
    work: ClientOf<typeof Work>,
    order: Order,
    complain: (text: string) => void,
  ): Promise<{ readonly count: number }> {
    const metadata = { n: String(order.n) };
    if (order.n % 3 === 0) return checkItems(work.list(order), order.n, complain);
    const items = itemsOf(order, this.#clock);
    if (order.n % 3 === 1) return work.collect(items, { metadata }) as Promise<{ readonly count: number }>;
    return checkItems(work.echo(items, { metadata }), order.n, complain);
  }

  async #notify({ name, client }: Direction, count: number, spreadMs: number): Promise<void> {
    for (let n = 0; n < count; n += 1) {
      await sleep(this.#clock, this.#random.between(0, Math.floor((2 * spreadMs) / count)));
      try {
        await (await client()).note({ n, ms: 0, items: 0 });
        this.#done += 1;
      } catch (thrown) {
        this.#fail(`${name}: notification ${n}`, thrown);
      }
    }
  }

  async #publish({ name, desk }: Direction, count: number, spreadMs: number): Promise<void> {
    for (let n = 0; n < count; n += 1) {
      await sleep(this.#clock, this.#random.between(0, Math.floor((2 * spreadMs) / count)));
      try {
        await desk?.publish(n);
        this.#done += 1;
      } catch (thrown) {
        this.#fail(`${name}: event ${n}`, thrown);
      }
    }
  }

  /** Each end reads what the other publishes. */
  async #subscribe(): Promise<void> {
    for (const { name, ledger, desk } of this.#directions) {
      if (desk === undefined) continue;
      const from = name === "client → server" ? await this.#anyPeer() : this.#pair.transport;
      await readNews(from, {
        saw: (n) => ledger.events.push(n),
        gap: () => this.#violations.push(`${name}: a subscription was told of a gap`),
      });
    }
  }

  #fail(place: string, thrown: unknown): RpcError {
    const error = RpcError.from(thrown);
    if (this.#judged) return error;
    this.#failed += 1;
    if (this.#exactly || error.code !== "UNAVAILABLE") {
      this.#violations.push(`${place} failed ${error.code} (delivered ${error.delivered ?? "–"}): ${error.message}`);
    }
    return error;
  }

  async #anyPeer(): Promise<Peer> {
    while (this.#peer === undefined) {
      // Somebody has to dial; where sessions resume that is done once.
      this.#pair.transport.ready().catch(() => undefined);
      await sleep(this.#clock, 10);
    }
    return this.#peer;
  }

  async #close(): Promise<void> {
    const { transport, listener } = this.#pair;
    const state = { closed: false };
    const close = async (): Promise<void> => {
      await transport.close();
      await listener.close();
      state.closed = true;
    };
    close().catch((thrown: unknown) => this.#violations.push(`closing failed: ${String(thrown)}`));
    // An end at once needs no time; only where it takes some does the clock move, and shows what the timers were for.
    for (let turn = 0; turn < 200 && !state.closed; turn += 1) await nextTurn();
    if (!state.closed) await this.#drive(() => state.closed, "closing");
    this.#channels.close();
    for (let turn = 0; turn < 5; turn += 1) await nextTurn();
    const { pendingCount } = this.#clock;
    if (pendingCount > 0) this.#violations.push(`${pendingCount} timers are left after both halves were closed`);
  }

  async #drive(isDone: () => boolean, what: string): Promise<void> {
    const end = this.#clock.now() + PATIENCE_MS;
    while (!isDone()) {
      if (this.#clock.now() > end) {
        this.#violations.push(`${what} had not ended after ${PATIENCE_MS} ms, ${this.#running} were running`);
        return;
      }
      await nextTurn();
      this.#clock.advance(STEP_MS);
    }
  }
}

function withDesk(handler: Handler, desk: NewsDesk | undefined): Handler {
  return desk === undefined ? handler : mergeRouters(handler, desk.handler);
}

/** The default pair: sessions of @rpc/core with JSON envelopes. */
export function sessionPair({ dial, handler, serve, clock, session, onError }: ScenarioParts): ScenarioPair {
  const shared = { ...session, endpoint: "chaos:", codec: jsonEnvelopeCodec, clock, onError };
  return {
    transport: createSessionTransport({ ...shared, dial, serve }),
    listener: createSessionListener({ ...shared, handler, stopAccepting: () => Promise.resolve() }),
  };
}
