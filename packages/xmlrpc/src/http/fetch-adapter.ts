import type { Clock } from "@rpc/core";
import type { Admitted, Desk } from "../server/desk.ts";
import { HttpRefusal } from "../server/service.ts";
import { packed, replyCoding } from "./content-coding.ts";
import { IncomingExchange } from "./incoming-exchange.ts";
import type { HttpReply } from "./reply.ts";

export interface FetchAdapterOptions {
  readonly desk: Desk;
  readonly clock: Clock;
  readonly bodyTimeoutMs: number;
  readonly compression: boolean;
}

/** What a Request does not say of itself. */
export interface FetchInfo {
  /** Address of the client, such as `http://1.2.3.4:5678`: for logs, and to count failed proofs by. Default: unknown. */
  readonly endpoint?: string | undefined;
}

/** Web-standard requests to responses. The platform has seen to the framing of the body, so that no length is asked for. */
export function fetchAdapter(options: FetchAdapterOptions): (request: Request, info?: FetchInfo) => Promise<Response> {
  return async (request, info) => {
    const { desk } = options;
    const exchange = new FetchExchange(request, info?.endpoint ?? "http://?");
    const opened = await desk.open(exchange, request.method, true);
    return responseOf(
      "status" in opened ? opened : await answered(opened, request, options),
      request,
      options.compression,
    );
  };
}

async function answered(admitted: Admitted, request: Request, options: FetchAdapterOptions): Promise<HttpReply> {
  const lost = (): void => admitted.gone();
  if (request.signal.aborted) lost();
  else request.signal.addEventListener("abort", lost, { once: true });
  try {
    const body = admitted.readsBody ? await read(request, options) : Buffer.alloc(0);
    return await admitted.answer(body);
  } catch (thrown) {
    return admitted.refuse(thrown instanceof HttpRefusal ? thrown : new HttpRefusal(400, "The body broke off"));
  } finally {
    request.signal.removeEventListener("abort", lost);
  }
}

async function read(request: Request, { desk, clock, bodyTimeoutMs }: FetchAdapterOptions): Promise<Buffer> {
  if (request.body === null) return Buffer.alloc(0);
  const reader = (request.body as ReadableStream<Uint8Array>).getReader();
  let isLate = false;
  const timer = clock.setTimeout(() => {
    isLate = true;
    // Ends the read below; what a source makes of it is its own business.
    reader.cancel().catch(() => undefined);
  }, bodyTimeoutMs);
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (isLate) throw new HttpRefusal(408, "The body did not come in time");
      if (done) return Buffer.concat(chunks, length);
      length += value.length;
      if (length > desk.options.maxMessageBytes) {
        reader.cancel().catch(() => undefined);
        throw desk.tooLarge();
      }
      chunks.push(value);
    }
  } finally {
    clock.clearTimeout(timer);
  }
}

async function responseOf(reply: HttpReply, request: Request, compression: boolean): Promise<Response> {
  const { status } = reply;
  const bytes = typeof reply.body === "string" ? Buffer.from(reply.body) : Buffer.from(reply.body);
  const coding = compression
    ? replyCoding(request.headers.get("accept-encoding") ?? undefined, bytes.length)
    : undefined;
  const body = coding === undefined ? bytes : await packed(bytes, coding);
  const headers = new Headers();
  try {
    for (const [name, value] of Object.entries(reply.headers)) headers.set(name, value);
  } catch {
    // A header that HTTP cannot carry, from a hook: the status must arrive all the same.
    return new Response(null, { status: 500 });
  }
  // No status of a reply, from a hook as well.
  if (!(status >= 200 && status <= 599)) return new Response(null, { status: 500 });
  if (status === 204) return new Response(null, { status, headers });
  headers.set("content-length", String(body.length));
  if (coding !== undefined) {
    headers.set("content-encoding", coding);
    headers.set("vary", "accept-encoding");
  }
  return new Response(request.method === "HEAD" ? null : new Uint8Array(body), { status, headers });
}

class FetchExchange extends IncomingExchange {
  readonly #request: Request;

  constructor(request: Request, endpoint: string) {
    super(targetOf(request.url), endpoint);
    this.#request = request;
  }

  header(name: string): string | undefined {
    return this.#request.headers.get(name) ?? undefined;
  }

  protected rawHeaders(): readonly string[] {
    return [...this.#request.headers].flat();
  }
}

function targetOf(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}
