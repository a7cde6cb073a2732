// The server calls the client over the connection that the client has made: nothing listens at the client.
import { createClient, createRouter, defineContract, notification, unary } from "@rpc/core";
import { createTcpTransport, serveTcp } from "@rpc/tcp";
import { z } from "zod";

/** What a site serves: it dials out, and is asked over its own connection. */
const Site = defineContract("demo.Site", {
  name: unary({ output: z.string() }),
  approve: unary({ input: z.object({ question: z.string() }), output: z.boolean() }),
  show: notification({ input: z.object({ text: z.string() }) }),
});

/** What the control centre serves. */
const Control = defineContract("demo.Control", {
  deploy: unary({ input: z.object({ version: z.string() }), output: z.object({ done: z.boolean() }) }),
});

// ---- the server

const control = createRouter(Control, {
  deploy: async ({ version }, context) => {
    // Whoever has called can be called back, while his own call is still running.
    const site = context.peer.client(Site);
    const done = await site.approve({ question: `deploy ${version}?` }, context);
    await site.show({ text: done ? `${version} is on its way` : "nothing was done" });
    return { done };
  },
});
const listener = await serveTcp(control);
const greeted = new Promise<void>((resolve) => {
  listener.on("client-connected", async (peer) => {
    // Nobody has called yet; the server begins.
    console.log(`server: ${await peer.client(Site).name()} has connected`);
    resolve();
  });
});
const left = new Promise<void>((resolve) => {
  listener.on("client-disconnected", () => resolve());
});

// ---- the client

const serve = createRouter(Site, {
  name: () => "Potsdam",
  approve: ({ question }) => {
    console.log(`client: the server asks "${question}", yes`);
    return true;
  },
  show: ({ text }) => console.log(`client: the server says "${text}"`),
});
const transport = createTcpTransport(listener.endpoint, { serve });
await transport.ready();
await greeted;
const { done } = await createClient(Control, transport).deploy({ version: "2.0" });
console.log(`client: ${done ? "deployed" : "refused"}`);
await transport.close();
await left;
console.log("server: the client has left");
await listener.close();
