import { type Handler, RpcError } from "@rpc/core";
import { CallScope, type EventSource, type MethodDescriptor } from "@rpc/core/transport";
import { textOf } from "../calls/body.ts";
import type { MdpPublisher } from "./publisher.ts";

/**
 * Publishes the events of a router at a forwarder as well: the category is the topic, the content `{"value": …}`. Gives what ends it. The
 * publisher stays the caller's to close. `onError` is told of events that cannot travel.
 */
export function publishEvents(
  handler: Handler,
  publisher: MdpPublisher,
  onError: (error: RpcError) => void = () => undefined,
): () => void {
  const sources: EventSource[] = [];
  for (const { methods } of handler.contracts)
    for (const method of methods.values()) {
      const source = method.kind === "event" ? publishEvent(handler, method, publisher, onError) : undefined;
      if (source !== undefined) sources.push(source);
    }
  return () => {
    const reason = new RpcError("CANCELLED", "nobody publishes any more", { reason: "CANCELLED" });
    for (const source of sources) source.close(reason);
  };
}

const CREDITS = 1_000;

function publishEvent(
  { topicPort }: Handler,
  method: MethodDescriptor,
  publisher: MdpPublisher,
  onError: (error: RpcError) => void,
): EventSource | undefined {
  const request = { pattern: undefined, lastValue: false, overflow: undefined, buffer: undefined };
  const source = topicPort?.subscribe(request, new PublisherContext(method, undefined), {
    writable: true,
    subscribed: () => undefined,
    event: ({ topic, value, metadata }) => {
      try {
        const text = textOf(method.output.codec, value);
        const meta = metadata === undefined ? {} : { $meta: { metadata: Object.fromEntries(metadata) } };
        publisher.publish(topic, { ...(text === "" ? {} : { value: JSON.parse(text) as unknown }), ...meta });
      } catch (thrown) {
        onError(RpcError.from(thrown));
      }
      source?.grant(1);
    },
    ended: (error) => {
      if (error !== undefined) onError(error);
    },
  });
  source?.open(CREDITS);
  return source;
}

/** The hub's view of the forwarder: nobody in particular. */
class PublisherContext extends CallScope {
  readonly id = "mdp/events";
  readonly peer = undefined;
  readonly attempt = 1;
  readonly idempotencyKey = undefined;
  readonly depth = 0;
  readonly parent = undefined;
  readonly observed = false;

  progress(): void {
    return undefined;
  }

  log(): void {
    return undefined;
  }
}
