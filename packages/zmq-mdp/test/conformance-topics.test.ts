import type { Transport } from "@rpc/core";
import type { TopicPort } from "@rpc/core/transport";
import { transportSuite, type TransportPair, type TransportPairOptions } from "@rpc/testkit";
import { describe, it } from "vitest";
import { runForwarder } from "../src/index.ts";
import { pairOf } from "./conformance-pair.ts";
import { networkTo } from "./network.ts";

/*
 * Of the suite the rows on topics alone; the others have files of their own. Left out is what a publisher behind a forwarder cannot do: it hears
 * nothing of its subscribers, so that it can tell nobody that one has left (C93), has none and keeps nothing (C99), or holds it up (C96); and of its end nobody else hears (C97).
 */
const ROWS = /^(?:C91|C92|C95|C96|C97|C99|H67) /;
const UNHEARD =
  /asked to be disconnected|when it blocks|blocks for too long|that blocks a publisher|to nobody with success|it was made at|policies and buffers|restart of the server/;

/** Reads everything, as `block` does elsewhere: here one that does not keep up is ended instead. */
function patient(port: TopicPort): TopicPort {
  return {
    ...(port.lasting === undefined ? {} : { lasting: port.lasting }),
    subscribe: (request, context, sink) => {
      const isBlocking = request.overflow === "block";
      return port.subscribe(
        isBlocking ? { ...request, overflow: "disconnect", buffer: 10_000 } : request,
        context,
        sink,
      );
    },
  };
}

function withPatience(transport: Transport): Transport {
  return {
    endpoint: transport.endpoint,
    capabilities: transport.capabilities,
    clock: transport.clock,
    call: (input, context) => transport.call(input, context),
    stream: (input, context) => transport.stream(input, context),
    topicPort: transport.topicPort === undefined ? undefined : patient(transport.topicPort),
    ready: () => transport.ready(),
    close: (options) => transport.close(options),
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  };
}

async function factory(options: TransportPairOptions): Promise<TransportPair> {
  const forwarder = await runForwarder({
    publishers: "tcp://127.0.0.1:*",
    subscribers: "tcp://127.0.0.1:*",
    lastValues: true,
    maxUnsent: 10_000,
  });
  const network = await networkTo(forwarder.subscribers);
  const pair = await pairOf({ events: network.endpoint }, { events: forwarder.publishers })(options);
  return {
    ...pair,
    transport: withPatience(pair.transport),
    another: () => withPatience(pair.another?.() ?? pair.transport),
    cut: async () => {
      await pair.cut?.();
      await network.cut();
    },
    close: async () => {
      await pair.close();
      await network.close();
      await forwarder.close();
    },
  };
}

function someOf(runner: (title: string, run: () => Promise<void>) => unknown): typeof runner {
  return (title, run) => (ROWS.test(title) && !UNHEARD.test(title) ? runner(title, run) : undefined);
}

transportSuite({
  describe,
  it: someOf(it),
  name: "mdp, events over a forwarder",
  patienceMs: 20_000,
  factory,
});
