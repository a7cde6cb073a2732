import { type Authorize, type Clock, type Handler, type ReplyCacheOptions, RpcError } from "@rpc/core";
import { guarded, isCallError, type MethodDescriptor } from "@rpc/core/transport";
import { createDocumentCodec } from "../codec/create-document-codec.ts";
import { ODOO_NAMES } from "../exceptions.ts";
import { json2Endpoint, openApiEndpoint } from "../databases/json2.ts";
import { faultOf, type FaultMapping, statusHeaders } from "../fault-mapping.ts";
import { type Fault, FaultError } from "../fault.ts";
import { CredentialCheck } from "../http/credential-check.ts";
import { Desk } from "./desk.ts";
import { rpcEndpoint } from "./dispatch.ts";
import type { FrontSettings } from "./front-settings.ts";
import { exchangePeer } from "./handler-context.ts";
import { DEFAULT_PATH, type HandlerSettings, type XmlRpcHandlerOptions } from "./options.ts";
import { withPlainOutputs } from "./plain-output.ts";
import { findMethod, routerService } from "./router-service.ts";
import { SERVICE, type Service, type ServiceHost, type ServiceSource } from "./service.ts";
import { withSystemMethods } from "./system-methods.ts";

/** What can be served: a router, a gateway, or what makes a service of itself, as `databases(…)` does. */
export type Served = Handler | ServiceSource;

/** The desk of what is served: everything between an adapter and the handlers. */
export function openDesk(
  served: Served,
  options: XmlRpcHandlerOptions,
  settings: HandlerSettings,
  refused: (endpoint: string, error: RpcError) => void,
): Desk {
  const { clock, onError, maxCallsPerBatch } = settings;
  const profile = options.profile ?? "lenient";
  const path = pathOf(options.path ?? DEFAULT_PATH);
  const mapping: FaultMapping = {
    ...(profile === "python" ? { python: true } : {}),
    ...(profile === "odoo" ? { names: ODOO_NAMES } : {}),
    ...options.faults,
    ...(options.exposeStacks === undefined ? {} : { exposeStacks: options.exposeStacks }),
  };
  const check = new CredentialCheck({
    authenticate: options.authenticate,
    cacheMs: settings.credentialCacheMs,
    failures: options.authFailures ?? {},
    clock,
    onError,
    refused,
  });
  const codec = createDocumentCodec({ dates: "date", ...options.document, profile });
  const faulted = (thrown: unknown): Fault => faultOf(thrown, mapping);
  const host: ServiceHost = {
    path,
    clock,
    profile,
    maxCallsPerBatch,
    faultOf: faulted,
    errorHeaders: (thrown) => statusHeaders(entered(thrown, false), undefined, mapping),
    exposeStacks: mapping.exposeStacks,
    mayCall: async (exchange, method) =>
      options.authorize === undefined || mayCall(options.authorize, exchange, method),
    keptReplies: options.replyCache === false ? undefined : keptReplies(options.replyCache ?? {}),
    guard: (handler) => kept(handler, options, clock),
    authenticate: async (shown) => (check.isOn ? check.identify(shown, shown.endpoint) : undefined),
    onError,
  };
  const isHandler = !(SERVICE in served);
  const own = isHandler ? serviceOf(served, options, clock, onError) : served[SERVICE](host);
  const front: FrontSettings = {
    codec,
    profile,
    hasNil: takesNil(codec),
    jsonRpc: options.jsonRpc ?? true,
    faultStatus: options.faultStatus ?? (isHandler ? "always200" : "rpc2"),
    maxCallsPerBatch,
    exposeStacks: mapping.exposeStacks ?? false,
    faultOf: faulted,
    errorHeaders: (thrown, name) =>
      statusHeaders(
        entered(thrown, isHandler && served.contracts.length === 0),
        isHandler ? methodOf(served, name) : undefined,
        mapping,
      ),
    onError,
  };
  const service = withSystemMethods(own, { clock, maxCallsPerBatch, profile, faultOf: faulted });
  // Databases say by themselves whether they have it.
  const json2 = isHandler && (options.json2 ?? true) ? [json2Endpoint(own, host), openApiEndpoint(own, "1")] : [];
  return new Desk({
    endpoints: [...(own.endpoints ?? []), ...json2, rpcEndpoint(path, service, front)],
    check,
    realm: realmOf(options.realm ?? (profile === "odoo" ? "Odoo-RPC" : "RPC")),
    maxMessageBytes: settings.maxMessageBytes,
    maxInflatedBytes: settings.maxInflatedBytes,
    maxInflateRatio: settings.maxInflateRatio,
    maxConcurrentCalls: settings.maxConcurrentCalls,
    clock,
    onError,
  });
}

/** What did not arrive is a call that the handler made; its own has arrived. Only a gateway, which is no handler, passes the word on. */
function entered(thrown: unknown, isGateway: boolean): unknown {
  if (isGateway || !(thrown instanceof RpcError) || thrown.delivered !== "no" || !isCallError(thrown)) return thrown;
  const { code, message, reason, details, retryable, cause } = thrown;
  return new RpcError(code, message, { reason, details, retryable, cause, delivered: "unknown" });
}

function serviceOf(
  handler: Handler,
  options: XmlRpcHandlerOptions,
  clock: Clock,
  onError: (error: RpcError) => void,
): Service {
  const { authorize } = options;
  return routerService(kept(handler, options, clock), {
    clock,
    onError,
    mayCall: authorize === undefined ? undefined : async (exchange, method) => mayCall(authorize, exchange, method),
  });
}

async function mayCall(
  authorize: Authorize,
  exchange: Parameters<typeof exchangePeer>[0],
  method: MethodDescriptor,
): Promise<boolean> {
  try {
    // Nothing but `true` will do: in JavaScript much else passes for it.
    const verdict: unknown = await authorize(exchangePeer(exchange), method, "call");
    return verdict === true;
  } catch {
    return false;
  }
}

/** A handler with its guards. Its outputs are plain where replies may be kept. */
function kept(handler: Handler, options: XmlRpcHandlerOptions, clock: Clock): Handler {
  return guarded(options.replyCache === false ? handler : withPlainOutputs(handler), options, clock);
}

/** The defaults are the reply cache's own. */
function keptReplies({ keepMs = 300_000, maxEntries = 10_000 }: ReplyCacheOptions): ServiceHost["keptReplies"] {
  return { keepMs, maxEntries };
}

function methodOf(handler: Handler, name: string): MethodDescriptor | undefined {
  try {
    return findMethod(handler, name);
  } catch (thrown) {
    if (thrown instanceof FaultError) return undefined;
    throw thrown;
  }
}

function takesNil(codec: FrontSettings["codec"]): boolean {
  try {
    codec.encodeReply(null);
    return true;
  } catch {
    return false;
  }
}

function pathOf(path: string): string {
  if (path.startsWith("/") && !/[?#\s]/.test(path)) return path.replace(/\/+$/, "");
  throw new RpcError(
    "INVALID_ARGUMENT",
    `option path must begin with "/" and hold no query, got ${JSON.stringify(path)}`,
    {
      reason: "INVALID_ARGUMENT",
    },
  );
}

function realmOf(realm: string): string {
  if (/^[ !#-[\]-~]*$/.test(realm)) return realm;
  throw new RpcError("INVALID_ARGUMENT", `option realm must be printable ASCII without " and \\`, {
    reason: "INVALID_ARGUMENT",
  });
}
