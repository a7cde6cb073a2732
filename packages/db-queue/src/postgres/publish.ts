import type { Session, Statement } from "./connections.ts";

/** Of a notification's 8000; the longest topic of the store's own takes 1300. */
const MAX_TOPIC_BYTES = 1900;

export async function publish(session: Session, statement: Statement, topics: readonly string[]): Promise<void> {
  await session.rows(statement, [topics.map((topic) => (isSendable(topic) ? topic : null))]);
}

/** What cannot be sent wakes everybody: `null` in the list. */
function isSendable(topic: string): boolean {
  return !topic.includes("\0") && Buffer.byteLength(JSON.stringify(topic)) <= MAX_TOPIC_BYTES;
}
