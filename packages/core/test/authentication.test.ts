import { describe, expect, it } from "vitest";
import { createClient, createRouter, defineContract, type HandlerContext, RpcError, unary } from "../src/index.ts";
import { Body, type ChannelSecurity, type SessionListener } from "../src/transport.ts";
import { Key, transcriptBytes, webCrypto } from "../src/tools/proof.ts";
import { hexFromBytes } from "../src/tools/bytes.ts";
import { utf8Bytes } from "../src/tools/utf8.ts";
import { FakeClock, settled } from "./fake-clock.ts";
import { dialRaw, dialTo, failure, HELLO, listen, thrownBy } from "./rig.ts";
import { resumable, wrapped } from "./resume-rig.ts";

const Test = defineContract("test.Test", { whoAmI: unary() });
const runs: unknown[] = [];
const router = createRouter(Test, {
  whoAmI: (input, context: HandlerContext) => {
    runs.push(input);
    return context.peer.identity ?? null;
  },
});
const SECRET = "correct horse battery staple";

/** Proofs are computed in another thread: they settle in real turns, not in microtasks alone. */
async function eventually(done: () => boolean): Promise<void> {
  while (!done()) await settled();
  expect(done()).toBe(true);
}

describe("mutual proof of a shared secret", () => {
  it("lets calls through that were made before it was done, and gives handlers the identity", async () => {
    const rig = resumable(router, { listener: { secrets: { bot: SECRET } }, transport: { secret: SECRET } });
    const client = createClient(Test, rig.transport);
    await expect(client.whoAmI(1)).resolves.toBe("bot");
  });

  it("finds the key by the name that the caller gives, and one of several secrets", async () => {
    const secrets = { bot: ["another one, quite long", SECRET], ui: "the secret of the ui" };
    const rig = resumable(router, { listener: { secrets }, transport: { secret: SECRET, identity: "bot" } });
    await expect(createClient(Test, rig.transport).whoAmI(1)).resolves.toBe("bot");
  });

  it("asks a function for the secret of a name", async () => {
    const secrets = async (identity: string) => (identity === "bot" ? utf8Bytes(SECRET) : undefined);
    const rig = resumable(router, { listener: { secrets }, transport: { secret: SECRET, identity: "bot" } });
    await expect(createClient(Test, rig.transport).whoAmI(1)).resolves.toBe("bot");
  });

  it("calls everybody `peer` who proves the one secret of all, whatever they call themselves", async () => {
    const rig = resumable(router, {
      listener: { secret: SECRET },
      transport: { secret: SECRET, identity: "administrator" },
    });
    await expect(createClient(Test, rig.transport).whoAmI(1)).resolves.toBe("peer");
  });

  it.each([
    ["another secret", { secret: "not the one that is meant" }],
    ["an unknown name", { secret: SECRET, identity: "nobody" }],
    ["the name of somebody else", { secret: SECRET, identity: "ui" }],
  ])("H25 tells both ends at once about %s", async (_what, transport) => {
    const before = runs.length;
    const secrets = { bot: SECRET, ui: "the secret of the ui" };
    const rig = resumable(router, { listener: { secrets }, transport });
    const [call, ready] = await Promise.all([
      failure(createClient(Test, rig.transport).whoAmI(1)),
      failure(rig.transport.ready()),
    ]);
    expect(call).toMatchObject({ code: "UNAUTHENTICATED", delivered: "no" });
    expect(call.message).toContain("the proof is wrong: unknown identity, or another secret");
    expect(ready.code).toBe("UNAUTHENTICATED");
    expect(rig.events).toContain("client-refused");
    expect(rig.errors.some(({ code }) => code === "UNAUTHENTICATED")).toBe(true);
    expect(runs.length).toBe(before);
    expect(rig.listener.connectionCount).toBe(0);
    expect(`${call.message}${rig.errors.map(String).join()}`).not.toContain(SECRET);
  });

  it.each([
    ["neither end", {}, {}, "null"],
    ["only the server", { secret: SECRET }, {}, "this server asks for the proof of a secret"],
    ["only the client", {}, { secret: SECRET }, "this server knows no secrets"],
  ])("H29 when %s has a secret: never a silent downgrade", async (_what, listener, transport, message) => {
    const rig = resumable(router, { listener, transport });
    const call = createClient(Test, rig.transport).whoAmI(1);
    const outcome = await call.then(String, (error: unknown) => String(error));
    expect(outcome).toContain(message);
  });

  it.each([
    ["secret", { secret: "" }],
    ["secret", { secret: undefined as never }],
    ["secret", { secret: new Uint8Array(0) }],
    ["secrets", { secrets: undefined as never }],
    ["secrets", { secrets: {} }],
    ["secrets", { secrets: { bot: "" } }],
    ["secrets", { secrets: { bot: [] } }],
  ])("H30 refuses to start with an empty %s: %j", (name, options) => {
    const error = thrownBy(() => listen(router, options));
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect(error.message).toContain(`option ${name}`);
  });

  it("H30 refuses an empty secret at the dialing end as well", () => {
    for (const secret of ["", undefined as never, new Uint8Array(0)])
      expect(thrownBy(() => dialTo({ secret })).code).toBe("INVALID_ARGUMENT");
  });

  it("H24 H31 refuses proofs that are short, long, empty or wrong in one bit", async () => {
    for (const change of [
      () => new Uint8Array(0),
      (mac: Uint8Array) => mac.subarray(0, 31),
      (mac: Uint8Array) => new Uint8Array([...mac, 0]),
      (mac: Uint8Array) => mac.map((byte, i) => (i === 0 ? byte ^ 1 : byte)),
      (mac: Uint8Array) => mac.map((byte, i) => (i === 31 ? byte ^ 128 : byte)),
    ]) {
      const { peer, mac } = await rawProver();
      await peer.send({ body: Body.Proof, mac: change(mac), token: "" });
      await eventually(() => peer.ends.length > 0);
      expect(peer.goodbye).toMatchObject({ code: 16 });
    }
  });

  it("accepts the proof of a peer that is written by hand, and proves itself", async () => {
    const { peer, mac, transcript } = await rawProver();
    await peer.send({ body: Body.Proof, mac, token: "" });
    await eventually(() => peer.of(Body.Welcome).length > 0);
    const expected = await new Key("", utf8Bytes(SECRET), webCrypto).prove("acceptor", transcript);
    expect(hexFromBytes(peer.of(Body.Welcome)[0]?.mac ?? new Uint8Array(0))).toBe(hexFromBytes(expected));
  });

  it("H26 refuses a proof of an earlier connection: every challenge is fresh", async () => {
    const first = await rawProver();
    const second = await rawProver();
    await second.peer.send({ body: Body.Proof, mac: first.mac, token: "" });
    await eventually(() => second.peer.ends.length > 0);
    expect(second.peer.goodbye).toMatchObject({ code: 16 });
  });

  it("H27 refuses its own proof sent back: the roles are part of what is signed", async () => {
    const { peer, transcript } = await rawProver();
    const mac = await new Key("", utf8Bytes(SECRET), webCrypto).prove("acceptor", transcript);
    await peer.send({ body: Body.Proof, mac, token: "" });
    await eventually(() => peer.ends.length > 0);
    expect(peer.goodbye).toMatchObject({ code: 16 });
  });

  it("H28 refuses a nonce that is not one", async () => {
    for (const nonce of [new Uint8Array(32), new Uint8Array(31).fill(7), new Uint8Array(0)]) {
      const peer = dialRaw(listen(router, { secret: SECRET }));
      await peer.send({ ...HELLO, nonce, mechanisms: ["hmac-sha256"] });
      expect(peer.goodbye).toMatchObject({ code: 16 });
    }
  });

  it("H34 does not send a call to a server that cannot prove the secret", async () => {
    const { transport, peers } = dialTo({ secret: SECRET }, false);
    const call = failure(createClient(Test, transport).whoAmI(1));
    await settled();
    const [peer] = peers;
    await peer?.send({
      body: Body.Challenge,
      version: 1,
      nonce: new Uint8Array(32).fill(3),
      instanceId: new Uint8Array(16),
      mechanism: "hmac-sha256",
      binding: "none",
      limits: undefined,
      features: [],
    });
    await eventually(() => (peer?.of(Body.Proof).length ?? 0) > 0);
    await peer?.send({
      body: Body.Welcome,
      mac: new Uint8Array(32),
      sessionId: new Uint8Array(16),
      resumed: false,
      received: undefined,
      refusal: "not-asked",
      resumeWindowMs: 0,
    });
    expect(await call).toMatchObject({ code: "UNAUTHENTICATED", delivered: "no" });
    expect(peer?.of(Body.Call)).toHaveLength(0);
    expect(peer?.goodbye).toMatchObject({ code: 16 });
  });

  it("H19 runs nothing of what is sent behind a proof before the proof is verified", async () => {
    const before = runs.length;
    const { peer, mac } = await rawProver();
    const wrong = mac.map((byte) => byte ^ 1);
    await peer.send({ body: Body.Proof, mac: wrong, token: "" }, CALL);
    await eventually(() => peer.ends.length > 0);
    expect(runs.length).toBe(before);
    const right = await rawProver();
    await right.peer.send({ body: Body.Proof, mac: right.mac, token: "" }, CALL);
    await eventually(() => right.peer.of(Body.Result).length > 0);
    expect(runs.length).toBe(before + 1);
  });

  it("H36 lets an address wait that has guessed five times within a minute", async () => {
    const clock = new FakeClock();
    const listener = listen(router, { secret: SECRET, clock });
    for (let i = 0; i < 5; i++) {
      const peer = dialRaw(listener);
      await peer.send({ ...HELLO, nonce: new Uint8Array(32).fill(1), mechanisms: ["none"] });
      expect(peer.goodbye).toMatchObject({ code: 16 });
    }
    const peer = dialRaw(listener);
    await peer.send({ ...HELLO, nonce: new Uint8Array(32).fill(1), mechanisms: ["hmac-sha256"] });
    await clock.advance(900);
    expect(peer.received).toHaveLength(0);
    await clock.advance(200);
    expect(peer.of(Body.Challenge)).toHaveLength(1);
    await clock.advance(60_000);
    const later = dialRaw(listener);
    await later.send({ ...HELLO, nonce: new Uint8Array(32).fill(1), mechanisms: ["hmac-sha256"] });
    expect(later.of(Body.Challenge)).toHaveLength(1);
  });

  it("closes the connection that waits longest when too many wait", async () => {
    const listener = listen(router, { secret: SECRET, maxUnauthenticatedConnections: 2 });
    const peers = [dialRaw(listener), dialRaw(listener), dialRaw(listener)];
    await settled();
    expect(peers.map(({ ends }) => ends.length)).toEqual([1, 0, 0]);
    expect(peers[0]?.goodbye).toMatchObject({ code: 8, reason: "maxUnauthenticatedConnections" });
  });
});

describe("tokens and certificates", () => {
  const encrypted = (subject?: string, key = 1): ChannelSecurity => ({
    kind: "encrypted",
    certificateSubject: subject,
    binding: () => new Uint8Array(32).fill(key),
  });
  const dressed = (near: ChannelSecurity, far: ChannelSecurity) => ({
    dress: (channel: import("../src/transport.ts").Channel, side: "dialing" | "accepting") =>
      wrapped(channel, { security: side === "dialing" ? near : far }),
  });

  it("shows a token to the hook, whose answer is the identity", async () => {
    const rig = resumable(router, {
      listener: { authenticate: async ({ token }) => (token === "let me in" ? "ada" : undefined) },
      transport: { token: async () => "let me in" },
    });
    await expect(createClient(Test, rig.transport).whoAmI(1)).resolves.toBe("ada");
  });

  it.each([
    ["gives nobody", () => undefined],
    ["gives an empty name", () => ""],
    ["throws", () => Promise.reject(new Error("database password is hunter2"))],
  ])("refuses when the hook %s, without telling why", async (_what, authenticate) => {
    const rig = resumable(router, { listener: { authenticate }, transport: { token: "let me in" } });
    const error = await failure(createClient(Test, rig.transport).whoAmI(1));
    expect(error.code).toBe("UNAUTHENTICATED");
    expect(error.message).not.toContain("hunter2");
    expect(error.message).not.toContain("let me in");
  });

  it("never sends a token that could be read on the way", async () => {
    const plain = { kind: "plain" } as const;
    const rig = resumable(router, {
      listener: { authenticate: () => "ada" },
      transport: { token: "let me in" },
      ...dressed(plain, plain),
    });
    const error = await failure(createClient(Test, rig.transport).whoAmI(1));
    expect(error.code).toBe("UNAUTHENTICATED");
    expect(error.message).toContain("not encrypted");
  });

  it("takes the subject of a verified client certificate as identity", async () => {
    const rig = resumable(router, dressed(encrypted(), encrypted("CN=bot")));
    await expect(createClient(Test, rig.transport).whoAmI(1)).resolves.toBe("CN=bot");
  });

  it("lets the hook name the holder of a certificate", async () => {
    const rig = resumable(router, {
      listener: { authenticate: ({ certificateSubject }) => certificateSubject?.slice(3) },
      ...dressed(encrypted(), encrypted("CN=bot")),
    });
    await expect(createClient(Test, rig.transport).whoAmI(1)).resolves.toBe("bot");
  });

  it("K04 notices somebody in between: the proof is tied to the TLS connection", async () => {
    const options = { listener: { secret: SECRET }, transport: { secret: SECRET } };
    const same = resumable(router, { ...options, ...dressed(encrypted(), encrypted()) });
    await expect(createClient(Test, same.transport).whoAmI(1)).resolves.toBe("peer");
    const relayed = resumable(router, { ...options, ...dressed(encrypted(undefined, 1), encrypted(undefined, 2)) });
    expect((await failure(createClient(Test, relayed.transport).whoAmI(1))).code).toBe("UNAUTHENTICATED");
  });

  it.each(["listener", "transport"] as const)(
    "refuses an unbound handshake where the %s asks for a bound one",
    async (end) => {
      const rig = resumable(router, {
        listener: { secret: SECRET, ...(end === "listener" ? { channelBinding: "require" } : {}) },
        transport: { secret: SECRET, ...(end === "transport" ? { channelBinding: "require" } : {}) },
      });
      expect((await failure(createClient(Test, rig.transport).whoAmI(1))).code).toBe("UNAUTHENTICATED");
    },
  );
});

describe("a session that somebody wants to take over", () => {
  it("H38 goes on only with the identity that it began with", async () => {
    const secrets = { bot: SECRET, spy: "the secret of the spy, quite long" };
    const rig = resumable(router, { listener: { secrets }, transport: { secret: SECRET } });
    await createClient(Test, rig.transport).whoAmI(1);
    const sessionId = Uint8Array.from({ length: 16 }, (_, i) => i);
    const { peer, mac } = await rawProver(rig.listener, secrets.spy, { sessionId, received: 0 });
    await peer.send({ body: Body.Proof, mac, token: "" });
    await eventually(() => peer.of(Body.Welcome).length > 0);
    expect(peer.of(Body.Welcome)[0]).toMatchObject({ resumed: false, refusal: "unknown-session" });
    await expect(createClient(Test, rig.transport).whoAmI(2)).resolves.toBe("bot");
  });
});

const CALL = {
  body: Body.Call,
  id: 1,
  method: "test.Test.whoAmI",
  kind: "unary",
  payload: undefined,
  deadlineMs: undefined,
  metadata: undefined,
  idempotencyKey: undefined,
  credits: undefined,
  depth: 0,
  parentId: 0,
  observed: false,
  handleId: "",
} as const;

/** A peer written by hand that is about to prove a secret. */
async function rawProver(
  listener: SessionListener = listen(router, { secret: SECRET }),
  secret = SECRET,
  resume?: { sessionId: Uint8Array; received: number },
) {
  const peer = dialRaw(listener);
  const nonce = new Uint8Array(32).fill(5);
  const hello = { ...HELLO, nonce, mechanisms: ["hmac-sha256"], features: ["ack", "resume"], resume };
  const helloBytes = peer.encode(hello);
  await peer.send(hello);
  await eventually(() => peer.of(Body.Challenge).length > 0);
  const challenge = peer.of(Body.Challenge)[0];
  if (challenge === undefined) throw new RpcError("INTERNAL", "no challenge");
  const transcript = await transcriptBytes(
    {
      initiatorNonce: nonce,
      acceptorNonce: challenge.nonce,
      hello: helloBytes,
      challenge: peer.bytesOf(challenge),
      binding: new Uint8Array(0),
    },
    webCrypto,
  );
  const mac = await new Key("", utf8Bytes(secret), webCrypto).prove("initiator", transcript);
  return { peer, mac, transcript };
}
