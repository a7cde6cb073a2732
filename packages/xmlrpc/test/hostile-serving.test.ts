import { createRouter, defineContract, RpcError, unary } from "@rpc/core";
import { createFakeClock } from "@rpc/testkit";
import { describe, expect, it } from "vitest";
import {
  createXmlRpcHandler,
  databases,
  HttpRefusal,
  serveXmlRpc,
  type ShownCredentials,
  type XmlRpcHandlerOptions,
} from "../src/index.ts";
import { ADAPTERS, callXml, connectTo, createDemo, faultIn, valueOf } from "./server-rig.ts";

const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;
const XML = { "content-type": "text/xml" };
const CALL = callXml("demo.Greeter.add", [1, 2]);
const AUTHORIZED = { ...XML, authorization: basic("ada:right") };
const isRight = ({ secret }: ShownCredentials): string | undefined => (secret === "right" ? "ada" : undefined);

/** A hook that answers when it is told to. */
function slowHook(): { authenticate: (shown: ShownCredentials) => Promise<string | undefined>; answer: () => void } {
  const waiting: (() => void)[] = [];
  return {
    authenticate: (shown) => new Promise((resolve) => waiting.push(() => resolve(isRight(shown)))),
    answer: () => {
      for (const go of waiting.splice(0)) go();
    },
  };
}

/** Requests of nobody whose address is known. */
async function fetchStatus(fetch: (request: Request) => Promise<Response>, authorization: string): Promise<number> {
  const headers = { ...XML, authorization };
  return (await fetch(new Request("http://localhost/RPC2", { method: "POST", headers, body: CALL }))).status;
}

describe("credentials under load", () => {
  it("lets in all calls of who begins with many at once, as long as there are fewer failures than the limit", async () => {
    const { authenticate, answer } = slowHook();
    for (const credentialCacheMs of [0, 60_000]) {
      const handler = createXmlRpcHandler(createDemo().router, { authenticate, credentialCacheMs });
      const asks = Array.from({ length: 64 }, () => {
        const request = new Request("http://localhost/RPC2", { method: "POST", headers: AUTHORIZED, body: CALL });
        return handler.fetch(request, { endpoint: "http://192.0.2.1:5000" });
      });
      for (let i = 0; i < 10; i++) {
        await new Promise((resolve) => setImmediate(resolve));
        answer();
      }
      expect(new Set((await Promise.all(asks)).map(({ status }) => status))).toEqual(new Set([200]));
    }
  });

  it("does not count the failures of all callers whose address nobody knows as those of one", async () => {
    const { fetch } = createXmlRpcHandler(createDemo().router, { authenticate: isRight });
    for (let i = 0; i < 25; i++) expect(await fetchStatus(fetch, basic(`user${i}:wrong`))).toBe(403);
    expect(await fetchStatus(fetch, basic("ada:right"))).toBe(200);
  });

  it("waits no longer than a window for proofs that never end", async () => {
    const clock = createFakeClock();
    let isDown = true;
    const handler = createXmlRpcHandler(createDemo().router, {
      clock,
      authFailures: { perUser: 2 },
      authenticate: (shown) => (isDown ? new Promise(() => undefined) : isRight(shown)),
    });
    for (let i = 0; i < 2; i++) void fetchStatus(handler.fetch, AUTHORIZED.authorization);
    const waiting = fetchStatus(handler.fetch, AUTHORIZED.authorization);
    await new Promise((resolve) => setImmediate(resolve));
    isDown = false;
    clock.advance(60_000);
    expect(await fetchStatus(handler.fetch, AUTHORIZED.authorization)).toBe(200);
    expect(await waiting).toBe(200);
  });

  it("takes what a hook answers or throws for what it is, however odd", async () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const odd: [number, () => unknown][] = [
      [403, () => proxy],
      [
        403,
        () => {
          // oxlint-disable-next-line typescript/only-throw-error -- as broken code does
          throw proxy;
        },
      ],
      [
        500,
        () => {
          throw new HttpRefusal(99, "no status");
        },
      ],
      [403, () => ({})],
      // oxlint-disable-next-line unicorn/no-thenable -- what some drivers answer with
      [200, () => ({ then: (done: (identity: string) => void) => done("ada") })],
    ];
    for (const [status, authenticate] of odd) {
      const options = { authenticate: authenticate as () => string, authFailures: { perUser: 1_000 } };
      const { fetch } = createXmlRpcHandler(createDemo().router, options);
      for (let i = 0; i < 3; i++) expect(await fetchStatus(fetch, AUTHORIZED.authorization)).toBe(status);
    }
  });

  it("runs no call whose caller was still being asked for when the server closed", async () => {
    const { authenticate, answer } = slowHook();
    const demo = createDemo();
    const handler = createXmlRpcHandler(demo.router, { authenticate });
    const status = fetchStatus(handler.fetch, AUTHORIZED.authorization);
    await new Promise((resolve) => setImmediate(resolve));
    await handler.close({ drainMs: 1_000 });
    answer();
    expect(await status).toBe(503);
  });

  it("has no more calls at once than it may, however long credentials take", async () => {
    const { authenticate, answer } = slowHook();
    const handler = createXmlRpcHandler(createDemo().router, { authenticate, maxConcurrentCalls: 1 });
    const statuses = [1, 2].map(() => fetchStatus(handler.fetch, AUTHORIZED.authorization));
    await new Promise((resolve) => setImmediate(resolve));
    answer();
    expect((await Promise.all(statuses)).toSorted((a, b) => a - b)).toEqual([200, 503]);
  });
});

describe("requests that do not wait for replies", () => {
  it.each([
    ["are cancelled when their connection is gone", 50],
    ["end their connection when there are too many", 5_000],
  ])("%s", async (_title, count) => {
    const demo = createDemo();
    const listener = await serveXmlRpc(demo.router);
    const inFlight = (): number => Number(listener.read()[0]?.value);
    const { socket, closed } = await connectTo(Number(new URL(listener.endpoint).port));
    const body = callXml("demo.Greeter.wait", []);
    const one = `POST /RPC2 HTTP/1.1\r\nhost: x\r\ncontent-type: text/xml\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    socket.write(one.repeat(count));
    if (count === 50) {
      while (inFlight() < count) await new Promise((resolve) => setImmediate(resolve));
      socket.destroy();
    }
    await closed;
    while (inFlight() > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(demo.waiting.length).toBe(Math.min(count, 100));
    expect(demo.waiting.every(({ signal }) => signal.aborted)).toBe(true);
    await listener.close();
  });
});

describe.each(ADAPTERS)("what is broken or hostile over %s", (_name, open) => {
  it("survives a log that throws, and one that rejects", async () => {
    const logs: NonNullable<XmlRpcHandlerOptions["onError"]>[] = [
      () => {
        throw new Error("the disk is full");
      },
      () => Promise.reject(new Error("the disk is full")) as never,
    ];
    for (const onError of logs) {
      await using rig = await open(createDemo().router, {
        onError,
        authenticate: (shown) => {
          if (shown.secret === "odd") throw new Error("no");
          return isRight(shown);
        },
      });
      expect(faultIn(await rig.call("demo.Greeter.fail", ["x"], AUTHORIZED)).message).toBe("TypeError: bad luck");
      expect((await rig.send({ headers: { ...XML, authorization: basic("ada:odd") }, body: CALL })).status).toBe(403);
    }
  });

  it("tells what a method takes only to who may call it", async () => {
    await using rig = await open(createDemo().router, { authorize: (_peer, { name }) => !name.endsWith(".add") });
    for (const params of [[], [1, 2, 3], [{ c: 1 }], [1, 2]])
      expect(faultIn(await rig.call("demo.Greeter.add", params)).code).toBe(-32_003);
    expect(faultIn(await rig.call("demo.Greeter.hello", ["a", 1, 2])).code).toBe(-32_602);
    const models = { partner: createDemo().router };
    await using db = await open(databases({ mydb: { models } }), { authorize: () => false });
    const call = { headers: XML, path: "/RPC2/mydb", body: callXml("partner.add", [[], []]) };
    expect((await db.send(call)).text).toContain("-32003");
    const sequence = [{ methodName: "partner.add", params: [[], []] }, []];
    expect((await db.send({ ...call, body: callXml("system.sequence", sequence) })).text).toContain("-32003");
  });

  it("answers introspection of a name that is asked for a thousand times over with one fault", async () => {
    await using rig = await open(createDemo().router);
    const names = Array.from({ length: 1_001 }, () => "system.noop");
    expect(faultIn(await rig.call("system.introspection", [names])).code).toBe(-32_400);
    expect(valueOf(await rig.call("system.introspection", [names.slice(0, 2)]))).toHaveLength(2);
  });

  it("refuses an output that holds itself at once, with and without an idempotency key", async () => {
    const Trees = defineContract("trees", { read: unary({}) });
    const root: { children: object[] } = { children: [] };
    for (let i = 0; i < 3; i++) root.children.push({ parent: root });
    await using rig = await open(createRouter(Trees, { read: () => root }), { authenticate: isRight });
    for (const key of [{}, { "idempotency-key": "k" }])
      expect(faultIn(await rig.call("trees.read", [], { ...AUTHORIZED, ...key })).code).toBe(-32_603);
  });

  it("takes the keys of callers that nobody can tell apart for no one's", async () => {
    await using rig = await open(databases({ mydb: { models: { partner: createDemo().router } } }));
    for (const id of [1, 2]) {
      const body = callXml("partner.hello", [[id], ["Ada"]]);
      const { text } = await rig.send({ path: "/RPC2/mydb", headers: { ...XML, "idempotency-key": "1" }, body });
      expect(text).toContain("hello Ada");
    }
  });

  it("X09 refuses a locked function in a JSON-RPC batch by an error of its own", async () => {
    await using rig = await open(databases({}, { admin: { drop: () => true }, masterPassword: "master" }));
    const drop = { jsonrpc: "2.0", id: 1, method: "drop", params: ["db"] };
    const version = { jsonrpc: "2.0", id: 2, method: "version" };
    expect(await rig.json([drop, version])).toMatchObject([
      { id: 1, error: { code: -32_101 } },
      { id: 2, result: {} },
    ]);
    expect(await rig.json([drop], { authorization: basic(":master") })).toMatchObject([{ result: true }]);
  });

  it("looks at no more than 20 wrong passwords of an address that tries them in the admin function login", async () => {
    const tried: string[] = [];
    const login = ({ password }: { readonly password: string }): number | false => {
      tried.push(password);
      if (password === "denied") throw new RpcError("PERMISSION_DENIED", "no");
      return password === "right" ? 7 : false;
    };
    await using rig = await open(databases({}, { admin: { login } }));
    const guess = (password: string) => ({ methodName: "login", params: ["mydb", "ada", password] });
    for (let i = 0; i < 30; i++) expect(valueOf(await rig.call("login", ["mydb", "ada", "right"]))).toBe(7);
    tried.length = 0;
    const guesses = [guess("denied"), ...Array.from({ length: 30 }, (_, i) => guess(`guess${i}`)), guess("right")];
    expect(valueOf(await rig.call("system.multicall", [guesses]))).toMatchObject({ 31: { faultCode: -32_101 } });
    expect(tried).toHaveLength(20);
    expect((await rig.send({ headers: XML, body: callXml("login", ["mydb", "ada", "right"]) })).status).toBe(429);
  });

  it("says nothing of what a hook for the master password throws, and counts no failure for it", async () => {
    const errors: RpcError[] = [];
    let isDown = true;
    const masterPassword = async (): Promise<boolean> => {
      if (isDown) throw new Error("connect ECONNREFUSED 10.0.0.5:5432");
      return Promise.resolve(true);
    };
    const served = databases({}, { admin: { drop: () => true }, masterPassword });
    await using rig = await open(served, { onError: (error) => errors.push(error) });
    for (let i = 0; i < 25; i++) {
      const { code, message } = faultIn(await rig.call("drop", ["db"], AUTHORIZED));
      expect([code, message]).toEqual([-32_603, expect.not.stringContaining("10.0.0.5")]);
    }
    expect(String((errors[0]?.cause as Error | undefined)?.cause)).toContain("10.0.0.5");
    isDown = false;
    expect(valueOf(await rig.call("drop", ["db"], AUTHORIZED))).toBe(true);
  });

  it("says nothing to old clients of what hooks throw before they have proved who they are", async () => {
    const down = (): never => {
      throw new Error("no such file /srv/databases");
    };
    const login = { params: { service: "common", method: "login", args: ["mydb", "ada", "right"] } };
    const execute = { params: { service: "object", method: "execute", args: ["mydb", 1, "x", "partner", "read"] } };
    const send = { path: "/jsonrpc", headers: { "content-type": "application/json" } };
    const directory = { open: down, list: () => ["mydb"] };
    await using rig = await open(databases(directory, { legacy: true }), { authenticate: isRight });
    await using users = await open(databases({ mydb: { models: {} } }, { legacy: { loginOf: down } }), {
      authenticate: isRight,
    });
    for (const [asked, body] of [
      [rig, login],
      [rig, execute],
      [users, execute],
    ] as const) {
      const { text } = await asked.send({ ...send, body: JSON.stringify(body) });
      expect(text).toContain("cannot be asked");
      expect(text).not.toContain("/srv");
    }
  });

  it("takes the master password of many calls at once", async () => {
    const masterPassword = async (shown: string): Promise<boolean> => {
      await new Promise((resolve) => setImmediate(resolve));
      return shown === "right";
    };
    await using rig = await open(databases({}, { admin: { drop: () => true }, masterPassword }));
    const calls = Array.from({ length: 40 }, () => rig.call("drop", ["db"], AUTHORIZED));
    expect((await Promise.all(calls)).map(valueOf)).toEqual(Array.from({ length: 40 }, () => true));
  });
});
