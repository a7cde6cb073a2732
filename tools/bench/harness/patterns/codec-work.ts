import type { CodecReading, CodecWork } from "../entrant.ts";
import { memoryReading, peakRssReading } from "../process-readings.ts";

/** The two halves of a library that runs in Node. `decode` may take its time, a stream for instance. */
export interface CodecHalves {
  readonly decode: (document: Uint8Array) => unknown;
  readonly encode: (value: unknown) => string;
}

/** Work in the measured process itself. */
export async function workInProcess(document: Uint8Array, { decode, encode }: CodecHalves): Promise<CodecWork> {
  return {
    roundTrip: async () => decode(Buffer.from(encode(await decode(document)))),
    decode: async (durationMs) => {
      const rows = rowCount(await decode(document));
      return repeat(durationMs, async () => {
        const decoded = decode(document);
        const count = rowCount(decoded instanceof Promise ? await decoded : decoded);
        if (count !== rows) throw new Error(`${rows} rows became ${count}`);
      });
    },
    encode: async (durationMs) => {
      const value = await decode(document);
      const characters = encode(value).length;
      return repeat(durationMs, async () => {
        const encoded = encode(value);
        if (encoded.length !== characters) throw new Error(`${characters} characters became ${encoded.length}`);
      });
    },
    decodeOnce: async () => {
      const before = await memoryReading();
      const rows = rowCount(await decode(document));
      const peak = await peakRssReading();
      return { rows, beforeBytes: before.rssBytes, peakBytes: peak.bytes };
    },
  };
}

async function repeat(durationMs: number, work: () => Promise<void>): Promise<CodecReading> {
  let documents = 0;
  let elapsedMs = 0;
  const started = performance.now();
  while ((elapsedMs = performance.now() - started) < durationMs) {
    await work();
    documents++;
  }
  return { documents, elapsedMs };
}

function rowCount(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  throw new Error(`the reply is no list but ${typeof value}`);
}
