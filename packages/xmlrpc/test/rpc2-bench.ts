import { createDocumentCodec } from "../src/codec/create-document-codec.ts";
import type { DecodedReply } from "../src/codec/document-codec.ts";
import { type Databases, serveXmlRpc, type XmlRpcListenerOptions } from "../src/index.ts";
import type { Handler } from "@rpc/core";

const codec = createDocumentCodec();

export interface Rpc2Bench extends AsyncDisposable {
  /** `http://127.0.0.1:1234`, without a path. */
  readonly origin: string;
  xml(
    method: string,
    params?: readonly unknown[],
    options?: RequestOptions,
  ): Promise<HttpAnswer & { reply: DecodedReply | undefined }>;
  json(method: string, params?: unknown, options?: RequestOptions): Promise<HttpAnswer & { body: JsonAnswer }>;
  post(path: string, body: string | Uint8Array, options?: RequestOptions): Promise<HttpAnswer>;
  get(path: string): Promise<HttpAnswer>;
}

interface RequestOptions {
  readonly path?: string;
  readonly auth?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

interface JsonAnswer {
  readonly result?: unknown;
  readonly error?: {
    readonly code: number;
    readonly message: string;
    readonly data: Readonly<Record<string, unknown>>;
  };
}

const ADA = `Basic ${btoa("ada:ada-pw")}`;

/** A real listener on a free port; `ada` with the password `ada-pw` may call. */
export async function rpc2Bench(
  served: Databases | Handler,
  options: Partial<XmlRpcListenerOptions> = {},
): Promise<Rpc2Bench> {
  const listener = await serveXmlRpc(served, {
    endpoint: "http://127.0.0.1:0/RPC2",
    faultStatus: "rpc2",
    authenticate: ({ user, secret, scheme }) => {
      if (scheme === "bearer") return secret === "key-of-ada" ? "ada" : undefined;
      return user === "ada" && secret === "ada-pw" ? "ada" : undefined;
    },
    ...options,
  });
  const { origin } = new URL(listener.endpoint);
  const send = async (
    path: string,
    init: RequestInit,
    { auth = ADA, headers = {} }: RequestOptions,
  ): Promise<HttpAnswer> => {
    const given = {
      connection: "close",
      ...(auth === "" ? {} : { authorization: auth }),
      ...(init.headers as Record<string, string>),
      ...headers,
    };
    const response = await fetch(`${origin}${path}`, { ...init, headers: given });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const post: Rpc2Bench["post"] = (path, body, request = {}) =>
    send(path, { method: "POST", body: typeof body === "string" ? body : new Uint8Array(body) }, request);
  return {
    origin,
    post,
    get: (path) => send(path, { method: "GET" }, { auth: "" }),
    xml: async (method, params = [], request = {}) => {
      const headers = { "content-type": "text/xml", ...request.headers };
      const answer = await post(request.path ?? "/RPC2/mydb", codec.encodeCall(method, params), {
        ...request,
        headers,
      });
      const isXml = answer.headers.get("content-type")?.startsWith("text/xml") === true;
      return { ...answer, reply: isXml ? codec.decodeReply(Buffer.from(answer.text), "text/xml") : undefined };
    },
    json: async (method, params = [], request = {}) => {
      const headers = { "content-type": "application/json", ...request.headers };
      const text = JSON.stringify({ jsonrpc: "2.0", method, params, id: 1 });
      const answer = await post(request.path ?? "/RPC2/mydb", text, { ...request, headers });
      const isJson = answer.headers.get("content-type")?.startsWith("application/json") === true;
      return { ...answer, body: (isJson ? JSON.parse(answer.text) : {}) as JsonAnswer };
    },
    [Symbol.asyncDispose]: () => listener.close(),
  };
}
