import type { RpcError } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it } from "vitest";
import { constantTimeEqual, HttpRefusal, serveXmlRpc, type ShownCredentials } from "../src/index.ts";
import { parseAuthorization } from "../src/http/credentials.ts";
import { ADAPTERS, callXml, createDemo, sendTo, valueOf } from "./server-rig.ts";

const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;
const XML = { "content-type": "text/xml" };
const CALL = callXml("demo.Greeter.add", [1, 2]);

const authenticate = ({ user, secret, scheme }: ShownCredentials): string | undefined => {
  if (scheme === "bearer") return constantTimeEqual(secret, "key-1") ? "robot" : undefined;
  return constantTimeEqual(secret, `pass of ${user}`) ? user : undefined;
};

describe("constantTimeEqual", () => {
  it("compares text and bytes of any length", () => {
    expect(constantTimeEqual("secret", "secret")).toBe(true);
    expect(constantTimeEqual("ä", Buffer.from("ä"))).toBe(true);
    for (const other of ["", "secre", "secret ", "Secret"]) expect(constantTimeEqual("secret", other)).toBe(false);
  });
});

describe("an Authorization header", () => {
  it("H138 shows nothing where it is not wholly right", () => {
    for (const header of [
      undefined,
      "",
      "Basic",
      "Basic ",
      "Basic !!!!",
      "Basic YWRh",
      "Basic YWRhOng",
      "Basic YWRhOngx=",
      basic(""),
      basic(":"),
      basic("ada:\u0000x"),
      basic("ada:x\n"),
      `Basic ${Buffer.from([0x61, 0x3a, 0xff]).toString("base64")}`,
      `Basic ${basic("ada:x").slice(6)} x`,
      "Bearer",
      "Bearer ",
      "Bearer a b",
      "Digest username=ada",
      "Negotiate abc",
    ])
      expect(parseAuthorization(header)).toBeUndefined();
  });

  it("is decoded once, as UTF-8, with colons in the password", () => {
    expect(parseAuthorization(basic("ä%40:p:q%3A"))).toEqual({ scheme: "basic", user: "ä%40", secret: "p:q%3A" });
    expect(parseAuthorization(`bAsIc  ${basic(":master").slice(6)}`)).toEqual({
      scheme: "basic",
      user: "",
      secret: "master",
    });
    expect(parseAuthorization(basic("ada:"))).toEqual({ scheme: "basic", user: "ada", secret: "" });
    expect(parseAuthorization("BEARER abc.def-_~+/==")).toEqual({
      scheme: "bearer",
      user: "",
      secret: "abc.def-_~+/==",
    });
  });
});

describe.each(ADAPTERS)("X07 over %s", (_name, open) => {
  it("H138 asks for credentials with a realm, and refuses wrong ones", async () => {
    await using rig = await open(createDemo().router, { authenticate, realm: "Greeter" });
    const ask = async (authorization?: string) =>
      rig.send({ headers: { ...XML, ...(authorization === undefined ? {} : { authorization }) }, body: CALL });
    for (const header of [undefined, "Basic", "Basic YWRh", "Digest x", basic(":")]) {
      const got = await ask(header);
      expect([got.status, got.headers["www-authenticate"], got.headers["content-type"]]).toEqual([
        401,
        'Basic realm="Greeter"',
        "text/plain; charset=utf-8",
      ]);
    }
    for (const header of [basic("ada:wrong"), basic("ada:"), basic("eve:pass of ada"), "Bearer key-2"]) {
      const got = await ask(header);
      expect([got.status, got.text, got.headers["www-authenticate"]]).toEqual([403, "Access denied\n", undefined]);
    }
    for (const header of [basic("ada:pass of ada"), basic("jürgen:pass of jürgen"), "Bearer key-1"])
      expect((await ask(header)).status).toBe(200);
  });

  it("takes an identity without a letter for nobody's", async () => {
    const demo = createDemo();
    for (const answer of [() => "", async () => ""]) {
      await using rig = await open(demo.router, { authenticate: answer });
      const headers = { ...XML, authorization: basic("ada:x") };
      expect((await rig.send({ headers, body: CALL })).status).toBe(403);
    }
    expect(demo.runs).toBe(0);
  });

  it("C37 tells the handler who it is", async () => {
    const demo = createDemo();
    await using rig = await open(demo.router, { authenticate: async (shown) => authenticate(shown) });
    const entered = demo.entered();
    const reply = rig.call("demo.Greeter.wait", [], { authorization: basic("ada:pass of ada") });
    const { peer } = await entered;
    expect(peer.identity).toBe("ada");
    peer.disconnect();
    await reply;
  });

  it("runs no handler without credentials, for no kind of call", async () => {
    const demo = createDemo();
    await using rig = await open(demo.router, { authenticate });
    await rig.send({ headers: XML, body: callXml("demo.Greeter.hello", ["Ada"]) });
    await rig.send({
      headers: { "content-type": "application/json" },
      body: '{"jsonrpc":"2.0","method":"demo.Greeter.hello","params":["Ada"],"id":1}',
    });
    expect(demo.runs).toBe(0);
  });

  it("X08 asks the hook once a minute at most, and at every call with a cache of 0", async () => {
    const clock = createFakeClock();
    let asked = 0;
    const counting = (shown: ShownCredentials) => {
      asked++;
      return authenticate(shown);
    };
    const headers = { ...XML, authorization: basic("ada:pass of ada") };
    await using rig = await open(createDemo().router, { clock, authenticate: counting });
    for (let i = 0; i < 3; i++) await rig.send({ headers, body: CALL });
    expect(asked).toBe(1);
    clock.advance(60_000);
    await rig.send({ headers, body: CALL });
    expect(asked).toBe(2);
    expect(
      (await rig.send({ headers: { ...headers, authorization: basic("ada:pass of eve") }, body: CALL })).status,
    ).toBe(403);
    await using always = await open(createDemo().router, { clock, authenticate: counting, credentialCacheMs: 0 });
    asked = 0;
    for (let i = 0; i < 3; i++) await always.send({ headers, body: CALL });
    expect(asked).toBe(3);
    await expect(open(createDemo().router, { credentialCacheMs: 60_001 })).rejects.toThrow("credentialCacheMs");
  });

  it("looks at no more credentials of an address after too many failures, until a window has passed", async () => {
    const clock = createFakeClock();
    let asked = 0;
    await using rig = await open(createDemo().router, {
      clock,
      authFailures: { perAddress: 3 },
      authenticate: (shown) => {
        asked++;
        return authenticate(shown);
      },
    });
    const ask = (text: string) => rig.send({ headers: { ...XML, authorization: basic(text) }, body: CALL });
    expect((await ask("bob:pass of bob")).status).toBe(200);
    for (let i = 0; i < 3; i++) expect((await ask(`ada:guess ${i}`)).status).toBe(403);
    const got = await ask("ada:pass of ada");
    expect([got.status, got.headers["retry-after"]]).toEqual([429, "60"]);
    expect(asked).toBe(4);
    // Who was known before is not kept out by others behind the same address.
    expect((await ask("bob:pass of bob")).status).toBe(200);
    clock.advance(60_000);
    expect((await ask("ada:pass of ada")).status).toBe(200);
  });

  it("has no more tries under way than may fail, and refuses the others when they have", async () => {
    const waiting: (() => void)[] = [];
    await using rig = await open(createDemo().router, {
      authFailures: { perAddress: 2 },
      authenticate: () => {
        return new Promise((resolve) => waiting.push(() => resolve(undefined)));
      },
    });
    const asks = Array.from({ length: 5 }, (_, i) =>
      rig.send({ headers: { ...XML, authorization: basic(`ada:${i}`) }, body: CALL }),
    );
    while (waiting.length < 2) await new Promise((resolve) => setImmediate(resolve));
    for (const go of waiting) go();
    const statuses = (await Promise.all(asks)).map(({ status }) => status);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([403, 403, 429, 429, 429]);
    expect(waiting).toHaveLength(2);
  });

  it("passes on a refusal of the hook, and hides what else it throws", async () => {
    const errors: RpcError[] = [];
    await using rig = await open(createDemo().router, {
      onError: (error) => errors.push(error),
      authenticate: ({ user }) => {
        if (user === "two") throw new HttpRefusal(403, "Use an API key instead of the password");
        throw new Error("table users is gone");
      },
    });
    const ask = (text: string) => rig.send({ headers: { ...XML, authorization: basic(text) }, body: CALL });
    expect(await ask("two:x")).toMatchObject({ status: 403, text: "Use an API key instead of the password\n" });
    expect(await ask("ada:x")).toMatchObject({ status: 403, text: "Access denied\n" });
    expect(errors.map(({ message }) => message)).toEqual(["authenticate failed: table users is gone"]);
  });
});

describe("a listener with credentials", () => {
  it("tells who was refused, and answers who shows them in the URL's own form", async () => {
    const listener = await serveXmlRpc(createDemo().router, { authenticate });
    const refused: string[] = [];
    listener.on("client-refused", (endpoint, error) => refused.push(`${endpoint.replace(/:\d+$/, "")} ${error.code}`));
    const port = Number(new URL(listener.endpoint).port);
    await sendTo(port, { headers: { ...XML, authorization: basic("ada:x") }, body: CALL });
    expect(refused).toEqual(["http://127.0.0.1 UNAUTHENTICATED"]);
    await listener.close();
  });
});

describe.each(ADAPTERS)("authorize over %s", (_name, open) => {
  it("refuses calls with a fault, and leaves what may not be called out of the list", async () => {
    await using rig = await open(createDemo().router, {
      authenticate,
      authorize: (peer, method) => peer.identity === "ada" || method.name === "demo.Greeter.add",
    });
    const as = (user: string) => ({ authorization: basic(`${user}:pass of ${user}`) });
    expect(await rig.call("demo.Greeter.echo", [1], as("bob"))).toMatchObject({ fault: { code: -32_003 } });
    expect(valueOf(await rig.call("demo.Greeter.echo", [1], as("ada")))).toBe(1);
    const listed = valueOf(await rig.call("system.listMethods", [], as("bob"))) as string[];
    expect(listed.filter((name) => !name.startsWith("system."))).toEqual(["demo.Greeter.add"]);
  });
});
