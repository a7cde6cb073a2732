import type { ServerOptions as TlsServerOptions } from "node:https";
import { type Authorize, type Clock, type ReplyCacheOptions, type RpcError, systemClock } from "@rpc/core";
import { wholeNumber } from "../errors.ts";
import type { FaultMapping } from "../fault-mapping.ts";
import type { Authenticate } from "../http/credential-check.ts";
import type { AuthFailureLimits } from "../http/failure-limit.ts";
import type { DocumentOptions, ProfileName } from "../profiles.ts";

/** What a listener and a handler for an existing server have in common. */
export interface XmlRpcHandlerOptions {
  /** Where calls go, without the slash at its end; that one is served too. Default: `/RPC2`. */
  readonly path?: string | undefined;
  /** Whose dialect is spoken. Default: `lenient`. */
  readonly profile?: ProfileName | undefined;
  /** Differences from the profile. Dates are read as `Date` unless this says otherwise. */
  readonly document?: Omit<DocumentOptions, "profile"> | undefined;
  /** Whether JSON-RPC 2.0 is answered on the same path. Default: true. */
  readonly jsonRpc?: boolean | undefined;
  /** Whether a handler is served as JSON-2 as well: `POST /json/2/<contract>/<method>`. Databases have an option of their own. Default: true. */
  readonly json2?: boolean | undefined;

  /** Says who shows credentials (HTTP Basic or Bearer); with it every call needs them. Default: nobody is asked. */
  readonly authenticate?: Authenticate | undefined;
  /** What a 401 asks for credentials of. Default: `RPC`, in the `odoo` profile `Odoo-RPC`. */
  readonly realm?: string | undefined;
  /** How long what `authenticate` said is believed, as a hash under a random key; at most 60,000, 0: not at all. Default: 60,000. */
  readonly credentialCacheMs?: number | undefined;
  /** When wrong credentials are refused unread, with 429; false: never. */
  readonly authFailures?: AuthFailureLimits | false | undefined;
  /** Says which peer may call which method; false refuses PERMISSION_DENIED. Default: who may connect may call everything. */
  readonly authorize?: Authorize | undefined;
  /** How long replies to calls with an `Idempotency-Key` header are kept; false: not at all. Default: 10,000 replies for 5 minutes. */
  readonly replyCache?: ReplyCacheOptions | false | undefined;

  /** Largest body as it travels; a larger one is refused (413) before it is read. Default: 8 MiB. */
  readonly maxMessageBytes?: number | undefined;
  /** Largest body after it was unpacked. Default: 20 MiB. */
  readonly maxInflatedBytes?: number | undefined;
  /** How many times larger a body may become, from 64 KiB on. Default: 100. */
  readonly maxInflateRatio?: number | undefined;
  /** Requests at the same time, handlers that outlive their caller included; the surplus gets 503. Default: 1,000. */
  readonly maxConcurrentCalls?: number | undefined;
  /** Calls in one multicall or batch. Default: 1,000. */
  readonly maxCallsPerBatch?: number | undefined;
  /** How long a body may take, and how long a reply may wait for somebody to take a part of it. Default: 30,000. */
  readonly bodyTimeoutMs?: number | undefined;

  /**
   * Packs replies above 1,400 bytes for who takes that. Turn it off where a reply holds a secret beside text that somebody else chooses.
   * Default: true. Packed requests are always read.
   */
  readonly compression?: boolean | undefined;
  /**
   * Which HTTP status goes with the fault of a document that cannot be read: 200, or 400 and 415 as `rpc2` has it. All other faults come
   * with 200. Default: `always200` for a router, `rpc2` for databases.
   */
  readonly faultStatus?: "always200" | "rpc2" | undefined;
  /** Which codes and names the application's errors have. */
  readonly faults?: FaultMapping | undefined;
  /** Whether handlers' stacks travel to callers. Default: false. */
  readonly exposeStacks?: boolean | undefined;
  readonly clock?: Clock | undefined;
  /** Errors that no caller hears of, and the full text of those that no contract declares. Default: dropped. */
  readonly onError?: ((error: RpcError) => void) | undefined;
}

/** Options of `serveXmlRpc`. */
export interface XmlRpcListenerOptions extends Omit<XmlRpcHandlerOptions, "path"> {
  /** Where to listen: `http://host:port/path` or `https://…`; port 0 takes a free one, no path means `/RPC2`. Default: `http://127.0.0.1:0/RPC2`. */
  readonly endpoint?: string | undefined;
  /** TLS options of Node, needed for `https://`: `key` and `cert`. */
  readonly tls?: TlsServerOptions | undefined;
  /** Lets everybody who can reach a public address call without TLS and without credentials. Default: false. */
  readonly allowInsecure?: boolean | undefined;
  /** Told of what is allowed and unwise: passwords over plain HTTP. Default: `process.emitWarning`. */
  readonly onWarning?: ((message: string) => void) | undefined;
  /** Connections at the same time; further ones are closed at once. Default: 10,000. */
  readonly maxConnections?: number | undefined;
  /** How long the head of a request may take; Node answers 408. Measured on the wall clock. Default: 10,000. */
  readonly headersTimeoutMs?: number | undefined;
  /** How long a connection may be idle between two calls; wall clock. Default: 60,000. */
  readonly idleTimeoutMs?: number | undefined;
}

export const DEFAULT_PATH = "/RPC2";
export const DEFAULT_LISTEN_ENDPOINT = "http://127.0.0.1:0/RPC2";

const MAX_CREDENTIAL_CACHE_MS = 60_000;

/** Numbers of the options, with their defaults. */
export interface HandlerSettings {
  readonly maxMessageBytes: number;
  readonly maxInflatedBytes: number;
  readonly maxInflateRatio: number;
  readonly maxConcurrentCalls: number;
  readonly maxCallsPerBatch: number;
  readonly bodyTimeoutMs: number;
  readonly credentialCacheMs: number;
  readonly clock: Clock;
  readonly onError: (error: RpcError) => void;
}

/** Fills in the defaults. Throws INVALID_ARGUMENT for a number that makes no sense. */
export function handlerSettings(options: XmlRpcHandlerOptions): HandlerSettings {
  return {
    maxMessageBytes: wholeNumber("maxMessageBytes", options.maxMessageBytes, 8 * 1024 * 1024),
    maxInflatedBytes: wholeNumber("maxInflatedBytes", options.maxInflatedBytes, 20 * 1024 * 1024),
    maxInflateRatio: wholeNumber("maxInflateRatio", options.maxInflateRatio, 100),
    maxConcurrentCalls: wholeNumber("maxConcurrentCalls", options.maxConcurrentCalls, 1_000),
    maxCallsPerBatch: wholeNumber("maxCallsPerBatch", options.maxCallsPerBatch, 1_000),
    bodyTimeoutMs: wholeNumber("bodyTimeoutMs", options.bodyTimeoutMs, 30_000),
    credentialCacheMs: wholeNumber("credentialCacheMs", options.credentialCacheMs, 60_000, 0, MAX_CREDENTIAL_CACHE_MS),
    clock: options.clock ?? systemClock,
    onError: quiet(options.onError),
  };
}

/** A log that is broken must not take the replies, or the process, with it. */
function quiet(onError: XmlRpcHandlerOptions["onError"]): (error: RpcError) => void {
  return (failure) => {
    try {
      const told: unknown = onError?.(failure);
      if (told instanceof Promise) told.catch(() => undefined);
    } catch {
      // There is nobody left to tell.
    }
  };
}
