import type { IncomingMessage, ServerResponse } from "node:http";

/** Of every answer: nothing of ours is ever taken for something else, shown inside of another page, or told to one. */
const ALWAYS = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
};

export type Headers = Readonly<Record<string, string>>;

export function answer(response: ServerResponse, status: number, headers: Headers, body?: string | Buffer): void {
  const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  response.writeHead(status, { ...ALWAYS, ...length, ...headers });
  response.end(response.req.method === "HEAD" ? undefined : body);
}

export function answerHead(response: ServerResponse, status: number, headers: Headers): void {
  response.writeHead(status, { ...ALWAYS, ...headers });
}

/** A sentence, for a person or a program's log. */
export function say(response: ServerResponse, status: number, sentence: string, headers: Headers = {}): void {
  answer(
    response,
    status,
    { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store", ...headers },
    `${sentence}\n`,
  );
}

export function answerJson(response: ServerResponse, status: number, value: unknown, headers: Headers = {}): void {
  const type = { "content-type": "application/json", "cache-control": "no-store" };
  answer(response, status, { ...type, ...headers }, JSON.stringify(value));
}

export class TooLarge extends Error {}
export class Busy extends Error {}

/** Bodies of those of whom nothing is known yet. */
export class Bodies {
  readonly #mostBytes: number;
  #bytes = 0;

  /** `mostBytes`: of all that come at the same time. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Throws TooLarge before more than `maxBytes` are kept, and Busy when others have sent too much. */
  async read(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
    if (Number(request.headers["content-length"] ?? 0) > maxBytes) throw new TooLarge();
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        this.#bytes += chunk.length;
        if (bytes > maxBytes) throw new TooLarge();
        if (this.#bytes > this.#mostBytes) throw new Busy();
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    } finally {
      this.#bytes -= bytes;
    }
  }
}

/** By TLS, or without leaving this machine: nobody on the way reads what it shows. */
export function isPrivate({ socket }: IncomingMessage): boolean {
  const { remoteAddress = "" } = socket;
  return "encrypted" in socket || remoteAddress === "::1" || /^(::ffff:)?127\./.test(remoteAddress);
}

/** Without parameters (`application/json; charset=utf-8`). */
export function typeOf(request: IncomingMessage): string {
  return (request.headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}
