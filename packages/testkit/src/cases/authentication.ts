import { createRouter, defineContract, notification, RpcError, serverStream, unary } from "@rpc/core";
import type { ListenerCredentials, Secret } from "@rpc/core/transport";
import { check, equal, rejects } from "../assert.ts";
import { collect, createGate, until, watch } from "../gate.ts";
import {
  clientOf,
  clientOfOne,
  type PairCredentials,
  proves,
  serveOne,
  type TransportCase,
} from "../transport-bench.ts";

const Who = defineContract("testkit.Who", { call: unary(), stream: serverStream(), notify: notification() });

const WhoWithoutStream = defineContract("testkit.Who", { call: unary(), notify: notification() });

const SECRET = "correct horse battery staple";
const OTHER = "the secret of the other one, quite long";
const SECRETS = { bot: SECRET, ui: OTHER };
const AS_BOT: PairCredentials = { listener: { secrets: SECRETS }, caller: { secret: SECRET, identity: "bot" } };

/** C37, C38, H25, H29, H30, H37, H39: who is at the other end. */
export const authenticationCases: readonly TransportCase[] = [
  proves("C37", "gives every kind of handler the identity that was proved", async (bench) => {
    const noted = createGate<unknown>();
    const router = createRouter(Who, {
      call: (_, ctx) => ctx.peer?.identity,
      stream: async function* (_, ctx) {
        yield ctx.peer?.identity;
      },
      notify: (_, ctx) => noted.open(ctx.peer?.identity),
    });
    const pair = await bench.connect(router, { credentials: AS_BOT });
    const client = clientOf(bench, WhoWithoutStream, pair.transport);
    equal(await client.call(), "bot", "identity in a unary handler");
    if (typeof bench.capabilities.serverStream === "string")
      equal(await collect(clientOf(bench, Who, pair.transport).stream()), ["bot"], "identity in a stream's handler");
    if (typeof bench.capabilities.notify === "string") {
      await client.notify();
      equal(await noted.passed, "bot", "identity in a notification's handler");
    }
    const peers = [...(pair.listener?.peers ?? [])].map(({ identity }) => identity);
    // Who cannot be called back is no peer of a listener.
    if (pair.listener !== undefined && typeof bench.capabilities.duplex === "string")
      equal(peers, ["bot"], "identities of the listener's peers");
  }),

  proves("C37", "finds the identity by the secret when the caller names none", async (bench) => {
    const credentials = { listener: { secrets: SECRETS }, caller: { secret: OTHER } };
    const pair = await bench.connect(
      serveOne((_, ctx) => ctx.peer?.identity),
      { credentials },
    );
    equal(await clientOfOne(bench, pair.transport).run(), "ui", "identity");
  }),

  proves("C38", "runs nothing for a caller that proves nothing", async (bench) => {
    await refused(bench, { listener: { secrets: SECRETS }, caller: {} });
  }),

  proves("H25", "tells both ends about a wrong secret, at once and for every call", async (bench) => {
    await refused(bench, { listener: { secrets: SECRETS }, caller: { secret: "not the one that is meant" } });
  }),

  proves("H25", "says the same of an unknown name and of somebody else's", async (bench) => {
    const messages: string[] = [];
    for (const identity of ["nobody", "ui", "constructor", "__proto__"]) {
      const caller = { secret: SECRET, identity };
      const { message } = await refused(bench, { listener: { secrets: SECRETS }, caller });
      messages.push(message);
    }
    equal(new Set(messages).size, 1, "different messages for names that exist and names that do not");
  }),

  proves("H29", "refuses a caller with a secret at a server that knows none: no silent downgrade", async (bench) => {
    await refused(bench, { listener: {}, caller: { secret: SECRET } });
  }),

  proves("H30", "refuses to start with an empty secret, on either end", async (bench) => {
    const nothing: readonly ListenerCredentials[] = [
      { secret: "" },
      { secret: new Uint8Array(0) },
      // What an environment variable gives that is not set.
      { secret: undefined as unknown as Secret },
      { secrets: {} },
      { secrets: { bot: "" } },
      { secrets: { bot: [] } },
    ];
    for (const listener of nothing) {
      const started = bench.connect(NOTHING, { credentials: { listener, caller: { secret: SECRET } } });
      await rejects(started, { code: "INVALID_ARGUMENT" }, `a server with ${JSON.stringify(listener)}`);
    }
    const started = bench.connect(NOTHING, { credentials: { listener: { secret: SECRET }, caller: { secret: "" } } });
    await rejects(started, { code: "INVALID_ARGUMENT" }, "a client with an empty secret");
  }),

  proves("H37", "takes an identity from nowhere but the proof", async (bench) => {
    const pair = await bench.connect(
      serveOne((_, ctx) => ctx.peer?.identity),
      { credentials: AS_BOT },
    );
    const claims = { peer: "ui", identity: "ui", principal: "ui", authorization: "ui", "x-forwarded-for": "ui" };
    const metadata = typeof bench.capabilities.metadata === "string" ? claims : undefined;
    const client = clientOfOne(bench, pair.transport);
    equal(await client.run(claims, metadata === undefined ? {} : { metadata }), "bot", "identity despite the claims");
  }),

  proves("H39", "shows a secret in no error and in no printed form", async (bench) => {
    const heard: unknown[] = [];
    const mine = "a secret that nobody may read";
    const credentials = { listener: { secrets: SECRETS }, caller: { secret: mine } };
    const pair = await bench.connect(NOTHING, { credentials, onError: (error) => void heard.push(error) });
    pair.listener?.on("client-refused", (_, reason) => void heard.push(reason));
    heard.push(await rejects(clientOfOne(bench, pair.transport).run(), { code: "UNAUTHENTICATED" }, "call"));
    heard.push(pair.transport.endpoint, pair.transport.capabilities, pair.listener?.endpoint);
    for (const each of heard) {
      const text = printed(each);
      for (const secret of [mine, SECRET, OTHER]) check(!text.includes(secret), `a secret stands in ${text}`);
    }
  }),
];

const NOTHING = serveOne(() => undefined);

/** Nothing runs, both ends hear of it, and nobody hangs. */
async function refused(bench: Parameters<TransportCase["run"]>[0], credentials: PairCredentials): Promise<RpcError> {
  let runs = 0;
  const errors: unknown[] = [];
  const handler = serveOne(() => void (runs += 1));
  const pair = await bench.connect(handler, { credentials, onError: (error) => void errors.push(error) });
  const turnedAway: RpcError[] = [];
  pair.listener?.on("client-refused", (_, reason) => void turnedAway.push(reason));
  const client = clientOfOne(bench, pair.transport);
  const calls = [client.run(1), client.run(2)];
  const ready = pair.transport.ready();
  for (const each of [...calls, ready]) watch(each);
  for (const call of calls) await rejects(call, { code: "UNAUTHENTICATED", delivered: "no" }, "call");
  await rejects(ready, { code: "UNAUTHENTICATED" }, "ready");
  if (pair.listener !== undefined) {
    await until(() => turnedAway.length > 0, "the listener says whom it has refused");
    equal(turnedAway[0]?.code, "UNAUTHENTICATED", "code at the listener");
    equal([...pair.listener.peers].length, 0, "peers of the listener");
  }
  const again = await rejects(client.run(3), { code: "UNAUTHENTICATED", delivered: "no" }, "next call");
  equal(runs, 0, "runs");
  await pair.transport.close();
  return again;
}

function printed(value: unknown): string {
  if (!(value instanceof RpcError)) return JSON.stringify(value) ?? "";
  return [String(value), value.stack, JSON.stringify(value.details), String(value.cause)].join("\n");
}
