/** Ours over JSON-RPC 2.0, at the same listener as XML-RPC. */
import type { Entrant } from "../harness/entrant.ts";
import { rpcOverHttp } from "./rpc-xmlrpc.ts";

export const entrant: Entrant = rpcOverHttp("json-rpc");
