import type { IncomingMessage, ServerResponse } from "node:http";
import type { CloseOptions } from "@rpc/core";
import { BodyDeadlines } from "../http/body-deadlines.ts";
import { fetchAdapter, type FetchInfo } from "../http/fetch-adapter.ts";
import { nodeAdapter } from "../http/node-adapter.ts";
import { openDesk, type Served } from "./open-desk.ts";
import { handlerSettings, type XmlRpcHandlerOptions } from "./options.ts";

/** What answers calls for a server that is there already. */
export interface XmlRpcHandler extends AsyncDisposable {
  /** For node:http and node:https: `createServer(handler.node)`, or called for the paths that are its own. Answers 404 for others. */
  readonly node: (request: IncomingMessage, response: ServerResponse) => void;
  /** For everything that speaks Web-standard Request and Response. Never rejects. */
  readonly fetch: (request: Request, info?: FetchInfo) => Promise<Response>;
  /** Idempotent. Refuses new requests (503), lets running calls finish for `drainMs`, then fails them UNAVAILABLE. */
  close(options?: CloseOptions): Promise<void>;
}

/**
 * Makes what answers XML-RPC and JSON-RPC calls of a handler, for an existing server. Who may reach that server is that server's business:
 * without `authenticate` everybody who can is let in. Throws INVALID_ARGUMENT for an option that makes no sense.
 */
export function createXmlRpcHandler(served: Served, options: XmlRpcHandlerOptions = {}): XmlRpcHandler {
  const settings = handlerSettings(options);
  const { clock, bodyTimeoutMs } = settings;
  const desk = openDesk(served, options, settings, () => undefined);
  const deadlines = new BodyDeadlines(clock, bodyTimeoutMs);
  const compression = options.compression ?? true;
  const node = nodeAdapter({ desk, deadlines, compression });
  const close = async (closing: CloseOptions = {}): Promise<void> => {
    await desk.close(closing.drainMs ?? 0);
    deadlines.close();
  };
  return {
    node: (request, response) => node(request, response),
    fetch: fetchAdapter({ desk, clock, bodyTimeoutMs, compression }),
    close,
    [Symbol.asyncDispose]: () => close(),
  };
}
