import type { ServerResponse } from "node:http";
import type { BodyDeadlines, PendingBody } from "./body-deadlines.ts";

/** What is longer is written in parts of this size, so that it can be seen whether anybody reads. */
const PART_BYTES = 256 * 1024;

/** What the end of a reply needs of its response. */
export type ReplyResponse = Pick<
  ServerResponse,
  "write" | "end" | "on" | "once" | "writableFinished" | "socket" | "req"
>;

/**
 * Ends a response whose head is written. Who takes no part of it for as long as a body may take loses the connection: otherwise replies that
 * nobody reads would be held for ever. `length`: the body's, in bytes.
 */
export function endReply(
  response: ReplyResponse,
  body: string | Uint8Array | undefined,
  length: number,
  deadlines: BodyDeadlines,
): void {
  if (body === undefined || length <= PART_BYTES) {
    response.end(body);
    // As a rule the system has taken it by now.
    if (!response.writableFinished) new PendingReply(response, deadlines, NO_BYTES).watch();
    return;
  }
  new PendingReply(response, deadlines, bytesOf(body)).write();
}

/** A reply that is on its way. */
class PendingReply implements PendingBody {
  readonly #response: ReplyResponse;
  readonly #deadlines: BodyDeadlines;
  #rest: Uint8Array;
  #isGone = false;
  #hadSocket: boolean;

  constructor(response: ReplyResponse, deadlines: BodyDeadlines, rest: Uint8Array) {
    this.#response = response;
    this.#deadlines = deadlines;
    this.#rest = rest;
    this.#hadSocket = response.socket !== null;
    response.once("close", () => {
      this.#isGone = true;
      this.#rest = NO_BYTES;
      deadlines.delete(this);
    });
  }

  write(): void {
    const next = (): void => {
      if (this.#isGone) return;
      const part = this.#rest.subarray(0, PART_BYTES);
      this.#rest = this.#rest.subarray(PART_BYTES);
      if (this.#rest.length === 0) this.#response.end(part);
      else this.#response.write(part);
      this.watch();
    };
    this.#response.on("drain", next);
    next();
  }

  watch(): void {
    // Again at the end of the line: each part has the whole time.
    this.#deadlines.delete(this);
    this.#deadlines.add(this);
  }

  expire(): void {
    if (this.#hadSocket) {
      this.#response.req.socket.destroy();
      return;
    }
    // It waited for the reply in front of it, which need not have been the reader's fault: the time begins when it is its turn.
    this.#hadSocket = this.#response.socket !== null;
    this.watch();
  }
}

const NO_BYTES = new Uint8Array(0);

function bytesOf(body: string | Uint8Array): Uint8Array {
  return typeof body === "string" ? Buffer.from(body) : body;
}
