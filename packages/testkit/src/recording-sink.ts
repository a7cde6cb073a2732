import type { RpcError } from "@rpc/core";
import type { Channel, ChannelSink } from "@rpc/core/transport";
import { until } from "./gate.ts";

/** Something that a channel told its sink. */
type SinkEvent =
  | { readonly kind: "message"; readonly bytes: Uint8Array }
  | { readonly kind: "drained" }
  | { readonly kind: "closed"; readonly reason: RpcError };

/** A sink that keeps what it is told. */
export interface RecordingSink extends ChannelSink {
  readonly events: readonly SinkEvent[];
  readonly messages: readonly Uint8Array[];
  readonly ends: readonly RpcError[];
  /** Waits for this many messages. */
  messageCount(count: number): Promise<void>;
  /** Waits for the end and gives its reason. */
  end(): Promise<RpcError>;
}

/** A sink that keeps what it is told, already given to the channel. */
export function openRecording(channel: Channel, onMessage?: (bytes: Uint8Array) => void): RecordingSink {
  const sink = createRecordingSink(onMessage);
  channel.open(sink);
  return sink;
}

/** A sink that keeps what it is told. */
export function createRecordingSink(onMessage?: (bytes: Uint8Array) => void): RecordingSink {
  const events: SinkEvent[] = [];
  const messages: Uint8Array[] = [];
  const ends: RpcError[] = [];
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  const { promise: ended, resolve: end } = Promise.withResolvers<RpcError>();

  return {
    events,
    messages,
    ends,
    message(bytes) {
      events.push({ kind: "message", bytes });
      messages.push(bytes);
      onMessage?.(bytes);
      for (let i = waiting.length - 1; i >= 0; i -= 1) {
        const waiter = waiting[i];
        if (waiter !== undefined && messages.length >= waiter.count) {
          waiting.splice(i, 1);
          waiter.resolve();
        }
      }
    },
    drained() {
      events.push({ kind: "drained" });
    },
    closed(reason) {
      events.push({ kind: "closed", reason });
      ends.push(reason);
      end(reason);
    },
    messageCount(count) {
      if (messages.length >= count) return Promise.resolve();
      return new Promise((resolve) => {
        waiting.push({ count, resolve });
      });
    },
    end: () => ended,
  };
}

/** Waits until a channel has told its sink that there is room again. */
export async function untilDrained(sink: RecordingSink): Promise<void> {
  await until(() => sink.events.some((event) => event.kind === "drained"), "drained after send returned false");
}
