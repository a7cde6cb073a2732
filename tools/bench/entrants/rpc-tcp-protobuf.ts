/** Ours: a contract from echo.proto over TCP. */
import { fileURLToPath } from "node:url";
import {
  type Contract,
  createClient,
  createRouter,
  type MessageType,
  type MethodDefinition,
  type NoErrors,
  type SessionLimitOptions,
} from "@rpc/core";
import { contractFromProto } from "@rpc/protobuf";
import { createTcpTransport, serveTcp } from "@rpc/tcp";
import protobuf from "protobufjs";
import type { EchoMessage, Entrant } from "../harness/entrant.ts";
import { itemsFor } from "../harness/message.ts";

const root = protobuf.loadSync(fileURLToPath(new URL("../echo.proto", import.meta.url)));

type Method<Kind extends "unary" | "serverStream", Input, Output> = MethodDefinition<
  Kind,
  MessageType<Input>,
  MessageType<Output>,
  undefined,
  NoErrors
>;

/** What echo.proto says; `rpc gen` would write it. */
interface Blob {
  readonly data: Uint8Array;
}
type EchoMethods = {
  readonly echo: Method<"unary", EchoMessage, EchoMessage>;
  readonly echoBytes: Method<"unary", Blob, Blob>;
  readonly items: Method<"serverStream", { readonly itemCount: number }, EchoMessage>;
};

/** Also of the entrants over other wires. */
export const EchoService: Contract<EchoMethods> = contractFromProto<EchoMethods>(root, "bench.EchoService");

/** The option belongs to both halves; without it sessions resume. */
export function rpcTcpProtobuf(session: SessionLimitOptions): Entrant {
  return {
    serve: async () => {
      const router = createRouter(EchoService, {
        echo: ({ id, text }) => ({ id, text }),
        echoBytes: ({ data }) => ({ data }),
        items: async function* ({ itemCount }) {
          yield* itemsFor(itemCount);
        },
      });
      const listener = await serveTcp(router, {
        ...session,
        endpoint: "tcp://127.0.0.1:0",
        maxConnections: 20_000,
      });
      return { endpoint: listener.endpoint, close: () => listener.close() };
    },
    connect: async (endpoint) => {
      const transport = createTcpTransport(endpoint, session);
      const client = createClient(EchoService, transport);
      return {
        echo: (message) => client.echo(message),
        countItems: async (itemCount) => {
          let received = 0;
          for await (const _item of client.items({ itemCount })) received++;
          return received;
        },
        echoBytes: async (data) => (await client.echoBytes({ data })).data,
        close: () => transport.close(),
      };
    },
  };
}

export const entrant: Entrant = rpcTcpProtobuf({});
