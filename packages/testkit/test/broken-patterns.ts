import type { BroadcastOptions, BroadcastReport, CallAllOptions, Peer, PeerReply, Peers } from "@rpc/core";
import type { EventSink, Handler, JobFeed, TopicPort, Transport, WorkQueue } from "@rpc/core/transport";
import type { TransportPair, TransportPairOptions } from "../src/index.ts";
import { dressed } from "./broken-transports.ts";
import { memoryPair } from "./memory-pair.ts";

type Factory = (options: TransportPairOptions) => Promise<TransportPair>;

/** Transports that break one promise about events, jobs or broadcasts, with the requirement that must find it. */
export const BROKEN_PATTERNS: Readonly<Record<string, readonly [id: string, factory: Factory]>> = {
  "drops every 100th event": ["C91", hearing((sink) => counting(sink, 100, () => undefined))],
  "delivers every 100th event twice": [
    "C91",
    hearing((sink) =>
      counting(sink, 100, (send) => {
        send();
        send();
      }),
    ),
  ],
  "swaps events": ["C94", hearing(swapping)],
  "says that it is subscribed before it is": ["C92", hearingLate],
  "leaves the publisher in the dark about who has gone": ["C93", neverLeaving],
  "takes a pattern for the beginning of a name": ["C95", looseInPatterns],
  "does not say what was left out": [
    "C96",
    hearing((sink) => ({
      ...plain(sink),
      event: (event) => sink.event(event, 0),
    })),
  ],
  "brings subscriptions back without a gap": ["C97", gapless],
  "runs every 100th job twice": ["C104", submittingTwice],
  "runs more jobs at once than a consumer said": ["C105", greedy],
  "forgets priorities": ["C108", levelling],
  "makes a job of every submission": ["C109", ignoringKeys],
  "runs cancelled jobs": ["C115", deafToCancel],
  "loses the jobs of a dead consumer": ["C126", burying],
  "broadcasts to one less": ["C127", peersOf((peers) => oneLess(peers))],
  "lets one failing peer stop a broadcast": ["C128", peersOf((peers) => giveUpEarly(peers))],
  "does not name who did not answer": ["C129", peersOf((peers) => silentOnSilence(peers))],
};

// ---- events

function hearing(around: (sink: EventSink) => EventSink): Factory {
  return topics((port) => ({
    ...lasting(port),
    subscribe: (request, context, sink) => port.subscribe(request, context, around(sink)),
  }));
}

function topics(around: (port: TopicPort) => TopicPort): Factory {
  return async (options) => {
    const pair = await memoryPair(options);
    const { topicPort } = pair.transport;
    return topicPort === undefined ? pair : worn(pair, { topicPort: around(topicPort) });
  };
}

function plain(sink: EventSink): EventSink {
  return {
    get writable() {
      return sink.writable;
    },
    subscribed: () => sink.subscribed(),
    event: (event, lost) => sink.event(event, lost),
    ended: (error) => sink.ended(error),
  };
}

function counting(sink: EventSink, every: number, instead: (send: () => void) => void): EventSink {
  let count = 0;
  return {
    ...plain(sink),
    event: (event, lost) => {
      const send = (): void => sink.event(event, lost);
      if (++count % every === 0) instead(send);
      else send();
    },
  };
}

function swapping(sink: EventSink): EventSink {
  let held: (() => void) | undefined;
  let count = 0;
  return {
    ...plain(sink),
    event: (event, lost) => {
      count += 1;
      if (count % 50 === 0) {
        held = () => sink.event(event, lost);
        return;
      }
      sink.event(event, lost);
      held?.();
      held = undefined;
    },
  };
}

async function hearingLate(options: TransportPairOptions): Promise<TransportPair> {
  return hearing((sink) => {
    let isListening = false;
    return {
      ...plain(sink),
      subscribed: () => {
        sink.subscribed();
        setTimeout(() => (isListening = true), 1);
      },
      event: (event, lost) => {
        if (isListening) sink.event(event, lost);
      },
    };
  })(options);
}

async function neverLeaving(options: TransportPairOptions): Promise<TransportPair> {
  return topics((port) => ({
    ...lasting(port),
    subscribe: (request, context, sink) => {
      const source = port.subscribe(request, context, sink);
      return {
        open: (credits) => source.open(credits),
        grant: (credits) => source.grant(credits),
        resume: () => source.resume(),
        release: (bytes) => source.release(bytes),
        report: (error) => source.report(error),
        close: () => undefined,
      };
    },
  }))(options);
}

async function looseInPatterns(options: TransportPairOptions): Promise<TransportPair> {
  return topics((port) => ({
    ...lasting(port),
    subscribe: (request, context, sink) => {
      const { pattern } = request;
      if (pattern === undefined || pattern === "" || /[*.]/.test(pattern))
        return port.subscribe(request, context, sink);
      const begins = `${context.method.name}.${pattern}`;
      return port.subscribe({ ...request, pattern: "**" }, context, {
        ...plain(sink),
        event: (event, lost) => {
          if (event.topic.startsWith(begins)) sink.event(event, lost);
        },
      });
    },
  }))(options);
}

/** Subscribes again by itself, and tells nobody. */
async function gapless(options: TransportPairOptions): Promise<TransportPair> {
  return topics((port) => ({
    lasting: false,
    subscribe: (request, context, sink) => {
      let isFirst = true;
      let isClosed = false;
      let source = port.subscribe(request, context, inner());
      function inner(): EventSink {
        return {
          ...plain(sink),
          subscribed: () => {
            if (isFirst) sink.subscribed();
            isFirst = false;
          },
          ended: (error) => {
            if (error?.code !== "UNAVAILABLE" || error.reason === "CLOSED") return sink.ended(error);
            // Not at once: what was lost just now may be refused in the same breath.
            setTimeout(() => {
              if (isClosed) return;
              source = port.subscribe(request, context, inner());
              source.open(256);
            }, 0);
          },
        };
      }
      return {
        open: (credits) => source.open(credits),
        grant: (credits) => source.grant(credits),
        resume: () => source.resume(),
        release: (bytes) => source.release(bytes),
        report: (error) => source.report(error),
        close: (reason) => {
          isClosed = true;
          source.close(reason);
        },
      };
    },
  }))(options);
}

// ---- jobs

function queue(around: (port: WorkQueue) => Partial<WorkQueue>): Factory {
  return async (options) => {
    const pair = await memoryPair(options);
    const { workQueue } = pair.transport;
    if (workQueue === undefined) return pair;
    return worn(pair, { workQueue: { ...jobs(workQueue), ...around(workQueue) } });
  };
}

function jobs(port: WorkQueue): WorkQueue {
  return {
    ...lasting(port),
    submit: (request, context, submitter) => port.submit(request, context, submitter),
    consume: (context, taker) => port.consume(context, taker),
  };
}

async function submittingTwice(options: TransportPairOptions): Promise<TransportPair> {
  let count = 0;
  return queue((port) => ({
    submit: (request, context, submitter) => {
      const nobody = { queued: () => undefined, done: () => undefined, failed: () => undefined };
      if (++count % 100 === 0) port.submit(request, context, nobody);
      return port.submit(request, context, submitter);
    },
  }))(options);
}

async function greedy(options: TransportPairOptions): Promise<TransportPair> {
  return queue((port) => ({
    consume: (context, taker) => {
      const feed = port.consume(context, taker);
      return { ...feeding(feed), open: (credits) => feed.open(credits + 1) };
    },
  }))(options);
}

async function levelling(options: TransportPairOptions): Promise<TransportPair> {
  return queue((port) => ({
    submit: (request, context, submitter) => port.submit({ ...request, priority: 0 }, context, submitter),
  }))(options);
}

async function ignoringKeys(options: TransportPairOptions): Promise<TransportPair> {
  return queue((port) => ({
    submit: (request, context, submitter) => port.submit({ ...request, key: undefined }, context, submitter),
  }))(options);
}

async function deafToCancel(options: TransportPairOptions): Promise<TransportPair> {
  return queue((port) => ({
    submit: (request, context, submitter) => {
      const deaf = new Proxy(context, {
        get: (target, key) => {
          if (key === "onCancel") return () => undefined;
          const member: unknown = Reflect.get(target, key, target);
          return typeof member === "function" ? member.bind(target) : member;
        },
      });
      return port.submit(request, deaf, submitter);
    },
  }))(options);
}

/** The queue itself never learns that a consumer was lost. */
async function burying(options: TransportPairOptions): Promise<TransportPair> {
  const { handler } = options;
  const { workQueue } = handler;
  if (workQueue === undefined) return memoryPair(options);
  const buried: Handler = {
    contracts: handler.contracts,
    method: (name, kind) => handler.method(name, kind),
    call: (input, context) => handler.call(input, context),
    stream: (input, context) => handler.stream(input, context),
    topicPort: handler.topicPort,
    workQueue: {
      ...jobs(workQueue),
      consume: (context, taker) => {
        const silent = new Proxy(context, {
          get: (target, key) => {
            if (key === "onCancel") return () => undefined;
            const member: unknown = Reflect.get(target, key, target);
            return typeof member === "function" ? member.bind(target) : member;
          },
        });
        return { ...feeding(workQueue.consume(silent, taker)), close: () => undefined };
      },
    },
  };
  return memoryPair({ ...options, handler: buried });
}

function feeding(feed: JobFeed): JobFeed {
  return {
    peer: feed.peer,
    open: (credits) => feed.open(credits),
    settle: (settlement) => feed.settle(settlement),
    resume: () => feed.resume(),
    finish: () => feed.finish(),
    close: (reason) => feed.close(reason),
  };
}

// ---- broadcasts

function peersOf(around: (peers: Peers) => Partial<Peers>): Factory {
  return async (options) => {
    const pair = await memoryPair(options);
    const { listener } = pair;
    if (listener === undefined) return pair;
    const { peers } = listener;
    const changed = Object.assign(Object.create(null) as Peers, {
      [Symbol.iterator]: () => peers[Symbol.iterator](),
      broadcast: peers.broadcast.bind(peers),
      callAll: peers.callAll.bind(peers),
      random: peers.random.bind(peers),
      leastBusy: peers.leastBusy.bind(peers),
    });
    Object.assign(changed, around(peers));
    Object.defineProperty(changed, "size", { get: () => peers.size });
    const on = listener.on.bind(listener);
    return {
      ...pair,
      listener: {
        endpoint: listener.endpoint,
        capabilities: listener.capabilities,
        peers: changed,
        on,
        close: (closeOptions) => listener.close(closeOptions),
        [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
      },
    };
  };
}

/** The same without the types of the method, which none of these looks at. */
type Broadcast = (method: unknown, input: unknown, options?: BroadcastOptions) => BroadcastReport;
type CallAll = (method: unknown, input: unknown, options?: CallAllOptions) => AsyncIterable<PeerReply<unknown>>;

function broadcasting(peers: Peers, around: (broadcast: Broadcast) => Broadcast): Partial<Peers> {
  const broadcast = peers.broadcast.bind(peers) as unknown as Broadcast;
  return { broadcast: around(broadcast) as unknown as Peers["broadcast"] };
}

function oneLess(peers: Peers): Partial<Peers> {
  return broadcasting(peers, (broadcast) => (method, input, options = {}) => {
    const last = [...peers].at(-1);
    const filter = (peer: Peer): boolean => peer !== last && (options.filter?.(peer) ?? true);
    return broadcast(method, input, { ...options, filter });
  });
}

/** Waits for each peer before it tells the next. */
function giveUpEarly(peers: Peers): Partial<Peers> {
  return broadcasting(peers, (broadcast) => (method, input, options = {}) => {
    let sent = 0;
    const accepted = (async () => {
      for (const one of peers) {
        const report = broadcast(method, input, { ...options, ack: true, filter: (peer) => peer === one });
        sent += report.sent;
        if ((await report.accepted) === 0) break;
      }
      return sent;
    })();
    return { sent, failed: [], accepted };
  });
}

function silentOnSilence(peers: Peers): Partial<Peers> {
  const callAll = peers.callAll.bind(peers) as unknown as CallAll;
  const changed: CallAll = async function* (method, input, options) {
    for await (const reply of callAll(method, input, options)) {
      if (reply.error?.code !== "DEADLINE_EXCEEDED") yield reply;
    }
  };
  return { callAll: changed as unknown as Peers["callAll"] };
}

// ----

function lasting(port: { readonly lasting?: boolean | undefined }): { readonly lasting: boolean | undefined } {
  return { lasting: port.lasting };
}

function worn(pair: TransportPair, members: Partial<Transport>): TransportPair {
  return { ...pair, transport: dressed(pair.transport, members) };
}
