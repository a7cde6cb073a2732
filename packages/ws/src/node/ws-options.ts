import type { PerMessageDeflateOptions } from "ws";
import type { NodeChannelSettings } from "./options.ts";

/** What both halves ask of `ws`. */
export interface WsLimits {
  readonly maxPayload: number;
  readonly maxFragments: number;
  readonly maxBufferedChunks: number;
  readonly perMessageDeflate: false | PerMessageDeflateOptions;
  readonly autoPong: false;
  readonly closeTimeout: number;
}

/** Everything that `ws` bounds is set, whatever its own defaults become. */
export function wsLimits(settings: NodeChannelSettings): WsLimits {
  const { maxMessageBytes, maxFragments, deflateFromBytes, closeTimeoutMs } = settings;
  return {
    maxPayload: Math.max(1, maxMessageBytes),
    maxFragments: Math.max(1, maxFragments),
    // A message that trickles in by single bytes would cost some hundred times its size; 256 bytes is less than any network sends at once.
    maxBufferedChunks: Math.max(LEAST_CHUNKS, Math.ceil(maxMessageBytes / 256)),
    perMessageDeflate: deflateFromBytes === undefined ? false : DEFLATE,
    // Answered by the channel, which counts them.
    autoPong: false,
    // The channel's own timer comes first.
    closeTimeout: closeTimeoutMs + 1_000,
  };
}

const LEAST_CHUNKS = 1024;

/** No state between messages: a window of 32 KiB for each direction of each connection is too much for what it saves. */
const DEFLATE: PerMessageDeflateOptions = {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  zlibDeflateOptions: { level: 1 },
  threshold: 0,
};
