// The connection is cut in the middle of a call and of a stream, and both go on over the next one. Each connection is proved by a secret.
import { createClient, createRouter, defineContract, RpcError, serverStream, unary } from "@rpc/core";
import { createTcpTransport, serveTcp } from "@rpc/tcp";
import { z } from "zod";
import { cuttable } from "./cuttable.ts";

const Builder = defineContract("demo.Builder", {
  build: unary({ input: z.object({ commit: z.string() }), output: z.string() }),
  lines: serverStream({ output: z.string() }),
});

// In earnest 32 random bytes, out of the environment: `openssl rand -base64 32`.
const SECRET = "a secret for this example alone";

// ---- the server

const started = Promise.withResolvers<void>();
const lost = Promise.withResolvers<void>();
let runs = 0;
const router = createRouter(Builder, {
  build: async ({ commit }, { peer }) => {
    runs += 1;
    started.resolve();
    // The build is done when there is no connection to say so.
    await lost.promise;
    return `${commit} is built for ${peer.identity}`;
  },
  lines: async function* () {
    yield "compiling";
    await lost.promise;
    yield "testing";
    yield "done";
  },
});
const listener = await serveTcp(router, { secrets: { site: SECRET } });
listener.on("client-refused", (_endpoint, error) => console.log(`server: refused, ${error.message}`));

// ---- the client, behind a network that can be cut

const network = await cuttable(Number(new URL(listener.endpoint).port));
const transport = createTcpTransport(network.endpoint, { identity: "site", secret: SECRET });
transport.on("suspended", () => {
  console.log("client: the connection is lost");
  lost.resolve();
});
transport.on("resumed", () => console.log("client: it is back"));

const builder = createClient(Builder, transport);
const building = builder.build({ commit: "4f2a" });
await started.promise;
for await (const line of builder.lines()) {
  console.log(`client: ${line}`);
  if (line === "compiling") network.cut();
}
console.log(`client: ${await building}, in ${runs} run`);

// ---- somebody who does not know the secret

const stranger = createTcpTransport(listener.endpoint, { identity: "site", secret: "a guess" });
try {
  await createClient(Builder, stranger).build({ commit: "4f2a" });
} catch (error) {
  if (error instanceof RpcError) console.log(`stranger: ${error.code}`);
}

await Promise.all([transport.close(), stranger.close(), listener.close()]);
network.close();
