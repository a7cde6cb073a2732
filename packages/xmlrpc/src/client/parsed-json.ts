import type { HttpReply } from "./http-pool.ts";
import { unreadable } from "./unreadable.ts";

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** An answer that has to be JSON. Its records are as JSON.parse makes them: `__proto__` is a member of their own. */
export function parsedJson(reply: HttpReply): unknown {
  if (reply.body.length === 0) throw unreadable("the answer is empty");
  if (reply.headers["content-type"]?.startsWith("text/html") === true)
    throw unreadable("the answer is a page of HTML and no JSON; is it the right URL?");
  try {
    return JSON.parse(UTF8.decode(reply.body)) as unknown;
  } catch (thrown) {
    // The parser's own message quotes the answer, which may be somebody's data.
    throw unreadable("the answer is not JSON", thrown);
  }
}

/** The JSON in an answer that need not have any. */
export function jsonOrNothing(reply: HttpReply): unknown {
  if (reply.headers["content-type"]?.includes("json") !== true) return undefined;
  try {
    return parsedJson(reply);
  } catch {
    return undefined;
  }
}
