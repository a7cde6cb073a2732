import type { EntrantClient } from "./entrant.ts";
import { BLOB_BYTES, ECHO_TEXT } from "./message.ts";

const CALLS = 64;
const ITEMS = 1000;

/** Proves once, before anything is measured, that calls bring back what they took along. */
export async function verifyClient(client: EntrantClient, opaque: boolean): Promise<void> {
  const replies = await Promise.all(
    Array.from({ length: CALLS }, (_, id) => client.echo({ id, text: `${id} ${ECHO_TEXT}`.slice(0, 100) })),
  );
  replies.forEach((reply, id) => {
    if (opaque) return;
    if (reply.id !== id || reply.text !== `${id} ${ECHO_TEXT}`.slice(0, 100))
      throw new Error(`call ${id} came back as ${JSON.stringify(reply)}`);
  });
  const items = await client.countItems?.(ITEMS);
  if (items !== undefined && items !== ITEMS) throw new Error(`a stream of ${ITEMS} items brought ${items}`);
  if (client.echoBytes === undefined) return;
  const blob = new Uint8Array(BLOB_BYTES).map((_, i) => (i * 31) & 0xff);
  const back = await client.echoBytes(blob);
  if (Buffer.compare(blob, back) !== 0) throw new Error(`${blob.length} bytes came back as ${back.length} others`);
}
