import { fileURLToPath } from "node:url";
import {
  credentials,
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServiceClientConstructor,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { EchoMessage, Entrant } from "../harness/entrant.ts";
import { itemsFor } from "../harness/message.ts";

const CHANNEL_OPTIONS = {
  // Two clients in one process would otherwise share one connection.
  "grpc.use_local_subchannel_pool": 1,
  // The HTTP/2 default of 64 KB makes a 1 MB message wait for window updates.
  "grpc-node.flow_control_window": 4 * 1024 * 1024,
};

interface Blob {
  readonly data: Buffer;
}

/** What the generated stub looks like; proto-loader builds it at run time, without types. */
interface EchoStub {
  Echo(message: EchoMessage, done: (error: Error | null, reply: EchoMessage) => void): void;
  EchoBytes(blob: { data: Uint8Array }, done: (error: Error | null, reply: Blob) => void): void;
  Items(request: { itemCount: number }): NodeJS.EventEmitter;
  waitForReady(deadlineMs: number, done: (error?: Error) => void): void;
  close(): void;
}

interface UnaryCall<Request> {
  readonly request: Request;
}
type Respond = (error: null, reply: unknown) => void;
interface ItemsCall {
  readonly request: { readonly itemCount: number };
  write(item: EchoMessage): boolean;
  once(event: "drain", listener: () => void): void;
  end(): void;
}

const definition = loadSync(fileURLToPath(new URL("../echo.proto", import.meta.url)));
const { bench } = loadPackageDefinition(definition) as unknown as { bench: { EchoService: ServiceClientConstructor } };

export const entrant: Entrant = {
  serve: async () => {
    const server = new Server(CHANNEL_OPTIONS);
    server.addService(bench.EchoService.service, {
      Echo: (call: UnaryCall<EchoMessage>, respond: Respond) =>
        respond(null, { id: call.request.id, text: call.request.text }),
      EchoBytes: (call: UnaryCall<Blob>, respond: Respond) => respond(null, { data: call.request.data }),
      Items: (call: ItemsCall) => {
        void writeItems(call);
      },
    });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, boundPort) =>
        error === null ? resolve(boundPort) : reject(error),
      );
    });
    return { endpoint: `127.0.0.1:${port}`, close: async () => server.forceShutdown() };
  },
  connect: async (endpoint) => {
    const stub = new bench.EchoService(endpoint, credentials.createInsecure(), CHANNEL_OPTIONS) as unknown as EchoStub;
    await new Promise<void>((resolve, reject) =>
      stub.waitForReady(Date.now() + 20_000, (error) => (error === undefined ? resolve() : reject(error))),
    );
    return {
      echo: (message) =>
        new Promise((resolve, reject) =>
          stub.Echo(message, (error, reply) => (error === null ? resolve(reply) : reject(error))),
        ),
      countItems: (itemCount) =>
        new Promise((resolve, reject) => {
          let received = 0;
          const stream = stub.Items({ itemCount });
          stream.on("data", () => received++);
          stream.on("end", () => resolve(received));
          stream.on("error", reject);
        }),
      echoBytes: (data) =>
        new Promise((resolve, reject) =>
          stub.EchoBytes({ data }, (error, reply) => (error === null ? resolve(reply.data) : reject(error))),
        ),
      close: async () => stub.close(),
    };
  },
};

async function writeItems(call: ItemsCall): Promise<void> {
  for (const item of itemsFor(call.request.itemCount)) {
    if (!call.write(item)) await new Promise<void>((resolve) => call.once("drain", resolve));
  }
  call.end();
}
