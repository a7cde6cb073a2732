import { RpcError } from "@rpc/core";
import type { MethodDescriptor } from "@rpc/core/transport";
import { refused } from "../errors.ts";
import { jsonText } from "../json-text.ts";
import type { Params } from "../server/service.ts";
import type { HttpReply } from "./http-pool.ts";
import { errorOfJson2 } from "./faults.ts";
import { unescaped } from "./options.ts";
import { jsonOrNothing, parsedJson } from "./parsed-json.ts";
import { unreadable } from "./unreadable.ts";
import type { ClientWire, WrittenCall } from "./wire.ts";

/** JSON-2: `POST /json/2/<model>/<method>` with one flat object of named arguments; it has no batches. */
export function json2Wire(root: string): ClientWire {
  return new Json2Wire(root);
}

class Json2Wire implements ClientWire {
  readonly contentType = "application/json";
  readonly accept = "application/json";
  readonly batches = false;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  write(method: string, params: Params): WrittenCall {
    const at = method.lastIndexOf(".");
    if (at <= 0 || at === method.length - 1) throw refused(`${method} has no model; JSON-2 calls are model.method`);
    const model = method.slice(0, at);
    // In a path `.` and `..` lead somewhere else, whoever reads it first.
    if (model === "." || model === ".." || !method.isWellFormed())
      throw refused("the model's name cannot stand in a path");
    const path = `${this.#root}/${encodeURIComponent(model)}/${encodeURIComponent(method.slice(at + 1))}`;
    return { path, text: jsonText(namedOf(method, params)), id: "" };
  }

  join(): WrittenCall {
    throw new RpcError("INTERNAL", "JSON-2 has no batches", { reason: "INTERNAL" });
  }

  read(reply: HttpReply): unknown {
    return reply.status === 204 ? undefined : parsedJson(reply);
  }

  readError(reply: HttpReply, method: MethodDescriptor): unknown {
    const said = jsonOrNothing(reply);
    if (typeof said !== "object" || said === null || !("message" in said) || typeof said.message !== "string")
      return undefined;
    const name = "name" in said && typeof said.name === "string" ? said.name : undefined;
    return errorOfJson2(method, reply, said.message, name);
  }

  readBatch(_reply: HttpReply, _calls: readonly { readonly method: MethodDescriptor }[]): undefined {
    throw unreadable("JSON-2 has no batches");
  }
}

function namedOf(method: string, params: Params): unknown {
  if (!Array.isArray(params)) return params;
  const [only] = params as readonly unknown[];
  if (params.length === 0) return {};
  const isNamed = typeof only === "object" && only !== null && !Array.isArray(only) && !(only instanceof Uint8Array);
  if (params.length === 1 && isNamed) return only;
  throw refused(`${method}: JSON-2 takes named arguments only; pass one record`);
}

/** Where JSON-2 answers, and for which database, read off the URL of an endpoint: `/RPC2/<db>`, `?db=<db>`, `/json/2`. */
export function json2Root(url: URL): { readonly root: string; readonly database: string | undefined } {
  const inPath = /^(.*?)\/RPC2(?:\/([^/]+))?\/?$/.exec(url.pathname);
  const query = url.searchParams.get("db") ?? undefined;
  const base = (inPath?.[1] ?? url.pathname).replace(/\/+$/, "");
  const root = base.endsWith("/json/2") ? base : `${base}/json/2`;
  return { root, database: inPath?.[2] === undefined ? query : unescaped(inPath[2]) };
}
