import { type Clock, type Handler, RpcError, systemClock } from "@rpc/core";
import { type Service, SERVICE, type ServiceHost, type ServiceSource } from "../server/service.ts";
import { type AdminFunctions, AdminDesk, type MasterPassword } from "./admin.ts";
import type { Convention, Struct } from "./conventions.ts";
import { type DatabaseDirectory, type DatabaseMap, directoryOf } from "./database-call.ts";
import { DatabaseService } from "./database-service.ts";
import { json2Endpoint, openApiEndpoint, versionEndpoint } from "./json2.ts";
import { legacyEndpoints, type LegacyOptions } from "./legacy.ts";
import { ModelCalls } from "./model-calls.ts";
import { type Around, isSerializationFailure, type TransactionOptions } from "./transactions.ts";

export interface DatabasesOptions {
  /** Functions of the endpoint itself, such as `create` and `list`. Default: `version` alone. */
  readonly admin?: AdminFunctions | undefined;
  /** What the marked admin functions ask for. Default: none, and they are refused. */
  readonly masterPassword?: MasterPassword | undefined;
  /** What `version` says. Default: `1.0`. */
  readonly version?: string | undefined;
  /** Methods that are called without a model, by their short names, at each database that has none of its own. Default: none. */
  readonly functions?: Handler | undefined;
  /** Runs each call in a transaction. Default: calls run as they are, once. */
  readonly around?: Around | undefined;
  /** Which errors are worth another try of `around`. Default: the function of this name. */
  readonly isSerializationFailure?: ((thrown: unknown) => boolean) | undefined;
  /** Whether a database that is not there is told (404) only to who has shown credentials; else before anything is asked. Default: false. */
  readonly authenticateFirst?: boolean | undefined;
  /** What stands under the context of each call. Default: `{ lang: "en_US" }`. */
  readonly defaultContext?: Struct | undefined;
  /** How callers may pass their arguments. Default: `auto`. */
  readonly convention?: Convention | undefined;
  /** What becomes of a call whose subject has members that mean nothing here. Default: `ignore`. */
  readonly unknownSubjectKeys?: "ignore" | "reject" | undefined;
  /** Serves `POST /json/2/<model>/<method>`, what there is as `GET /json/2/openapi.json`, and `GET /json/version`, `/web/version`. Default: true. */
  readonly json2?: boolean | undefined;
  /** Serves the endpoints of older clients: `/xmlrpc/2/…`, `/jsonrpc` and the least that OdooRPC needs. Default: false. */
  readonly legacy?: boolean | LegacyOptions | undefined;
  /** Where pauses between tries and limits of failures come from. Default: the listener's, and the process's. */
  readonly clock?: Clock | undefined;
  /** From 0 up to 1, for the same. Default: `Math.random`. */
  readonly random?: (() => number) | undefined;
}

/** Databases to serve: `serveXmlRpc(databases(…))`. */
export interface Databases extends ServiceSource {
  readonly directory: DatabaseDirectory;
}

/**
 * Databases with their models, at one endpoint: `/RPC2` for functions without a database, `/RPC2/<db>` and `/RPC2?db=<db>` for methods of models,
 * which are plain handlers of core. Records and context of a call are had by {@link databaseCall}. Throws INVALID_ARGUMENT for options that
 * cannot be.
 *
 *     await serveXmlRpc(databases({ mydb: { models: { "res.partner": partners } } }), { authenticate });
 */
export function databases(source: DatabaseMap | DatabaseDirectory, options: DatabasesOptions = {}): Databases {
  const directory = directoryOf(source);
  const { admin = {}, masterPassword, version = "1.0", convention = "auto", unknownSubjectKeys = "ignore" } = options;
  if (!["auto", "struct", "subject"].includes(convention))
    throw refused(`convention must be auto, struct or subject, got ${convention}`);
  if (!["ignore", "reject"].includes(unknownSubjectKeys))
    throw refused(`unknownSubjectKeys must be ignore or reject, got ${unknownSubjectKeys}`);
  const desk = new AdminDesk(admin, masterPassword, version, options.clock ?? systemClock);
  const { defaultContext = { lang: "en_US" }, authenticateFirst = false } = options;
  return {
    directory,
    [SERVICE](host: ServiceHost): Service {
      const transactions = transactionsOf(options, host);
      const models = new ModelCalls(host, options.functions, transactions);
      const parts = {
        directory,
        admin: desk,
        models,
        transactions,
        defaultContext,
        convention,
        unknownSubjectKeys,
        authenticateFirst,
      };
      const service = new DatabaseService(parts, host);
      const endpoints =
        options.json2 === false
          ? []
          : [json2Endpoint(service, host), openApiEndpoint(service, version), versionEndpoint(desk)];
      if (options.legacy !== undefined && options.legacy !== false) {
        const legacy = options.legacy === true ? {} : options.legacy;
        endpoints.push(...legacyEndpoints(service, desk, host, legacy));
      }
      service.endpoints = endpoints;
      return service;
    },
  };
}

function transactionsOf(options: DatabasesOptions, host: ServiceHost): TransactionOptions | undefined {
  if (options.around === undefined) return undefined;
  return {
    around: options.around,
    isSerializationFailure: options.isSerializationFailure ?? isSerializationFailure,
    clock: options.clock ?? host.clock,
    random: options.random ?? Math.random,
  };
}

function refused(message: string): RpcError {
  return new RpcError("INVALID_ARGUMENT", `databases: option ${message}`, { reason: "INVALID_ARGUMENT" });
}
