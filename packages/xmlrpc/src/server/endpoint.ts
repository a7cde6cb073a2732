import type { Awaitable } from "@rpc/core";
import type { HttpExchange } from "../http/exchange.ts";
import type { HttpReply } from "../http/reply.ts";
import type { RequestScope } from "./request-scope.ts";
import type { Admission, HttpRefusal } from "./service.ts";

/**
 * A place under a listener with a wire of its own: XML-RPC with JSON-RPC on one path, JSON-2 and the old endpoints on others. What HTTP itself
 * asks for (method, media type, lengths, compression, credentials) is checked before `handle`, in this order: `matches`, `methods`,
 * `mediaTypes`, lengths, `admit`, credentials, body.
 */
export interface Endpoint {
  /** Whether requests for this path (as {@link HttpExchange} gives it) are its own. Endpoints are asked in order. */
  matches(path: string): boolean;
  /** HTTP methods in upper case; others get 405 with Allow. */
  readonly methods: readonly string[];
  /** Media types of bodies in lower case; others get 415 with Accept. Empty: bodies are neither asked for nor read. */
  readonly mediaTypes: readonly string[];
  /** The list in the Accept header of a 415. Default: `mediaTypes`. */
  readonly accept?: string | undefined;
  /** The text of a 415. */
  unsupported?(mediaType: string): string;
  /** Before the body is read; throws HttpRefusal. */
  admit(exchange: HttpExchange): Awaitable<Admission>;
  /** Makes the reply. Throws HttpRefusal; whatever else it throws is a mistake of ours: 500 without a word of it, and `onError`. */
  handle(request: EndpointRequest): Awaitable<HttpReply>;
  /** What a refusal looks like here. Default: its text as text/plain. */
  refuse?(refusal: HttpRefusal): HttpReply;
}

/** A request that was let in, with its body. */
export interface EndpointRequest {
  readonly exchange: HttpExchange;
  readonly httpMethod: string;
  /** Without parameters, in lower case; empty: there is none. */
  readonly mediaType: string;
  readonly contentType: string | undefined;
  /** Decompressed. */
  readonly body: Uint8Array;
  readonly scope: RequestScope;
  /** From `X-Rpc-Timeout-Ms`: an instant on the clock's scale. */
  readonly deadline: number | undefined;
}
