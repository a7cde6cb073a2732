import type { EchoMessage } from "./entrant.ts";

/** 100 ASCII bytes, the `text` of every message. */
export const ECHO_TEXT: string = "The quick brown fox jumps over the lazy dog, and does it again. ".padEnd(
  100,
  "0123456789",
);

export const BLOB_BYTES = 1_000_000;

/** What a server stream yields: `itemCount` messages, made anew one by one. */
export function* itemsFor(itemCount: number): Generator<EchoMessage> {
  for (let id = 0; id < itemCount; id++) yield { id, text: ECHO_TEXT };
}
