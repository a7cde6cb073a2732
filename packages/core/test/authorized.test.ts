import { describe, expect, it } from "vitest";
import {
  allowLists,
  type Authorize,
  authorized,
  createClient,
  createRouter,
  notification,
  defineContract,
  type Peer,
  RpcError,
  serverStream,
  clientStream,
  unary,
} from "../src/index.ts";
import { settled } from "./fake-clock.ts";
import { all, failure, Gate, memory, thrownBy } from "./rig.ts";

const Vault = defineContract("demo.Vault", {
  open: unary(),
  list: serverStream(),
  pour: clientStream(),
  knock: notification(),
});

function vault(authorize: Authorize) {
  const ran: string[] = [];
  const errors: RpcError[] = [];
  const router = createRouter(Vault, {
    open: () => void ran.push("open"),
    list: () => (ran.push("list"), [1, 2]),
    pour: async (items) => {
      ran.push("pour");
      return (await all(items)).length;
    },
    knock: () => void ran.push("knock"),
  });
  const transport = memory(authorized(router, authorize), { onError: (error) => errors.push(error) });
  return { client: createClient(Vault, transport), ran, errors };
}

const answers: [string, (answer: boolean) => boolean | Promise<boolean>][] = [
  ["at once", (answer) => answer],
  ["later", (answer) => settled().then(() => answer)],
];

describe.each(answers)("authorized, answered %s", (_when, answer) => {
  it("lets through what is allowed, in all shapes", async () => {
    const { client, ran } = vault(() => answer(true));
    await client.open();
    expect(await all(client.list())).toEqual([1, 2]);
    expect(await client.pour([1, 2, 3])).toBe(3);
    await client.knock();
    await settled();
    await settled();
    expect(ran).toEqual(["open", "list", "pour", "knock"]);
  });

  it("refuses the rest by the method's name, and runs nothing", async () => {
    const { client, ran, errors } = vault(() => answer(false));
    const refusal = { code: "PERMISSION_DENIED", reason: "FORBIDDEN" };
    const open = await failure(client.open());
    expect(open).toMatchObject(refusal);
    expect(open.message).toContain("demo.Vault.open");
    expect(await failure(all(client.list()))).toMatchObject(refusal);
    expect(await failure(client.pour([1]))).toMatchObject(refusal);
    await client.knock();
    await settled();
    await settled();
    expect(errors).toMatchObject([refusal]);
    expect(ran).toEqual([]);
  });
});

it.each([
  [
    "throws",
    () => {
      throw new RpcError("UNAVAILABLE", "the secret directory is down");
    },
  ],
  ["rejects", () => Promise.reject(new Error("the secret directory is down"))],
])("H79 fails the call INTERNAL when authorize %s, does not say why, and runs nothing", async (_what, authorize) => {
  const { client, ran } = vault(authorize);
  const error = await failure(client.open());
  expect(error).toMatchObject({ code: "INTERNAL" });
  expect(error.message).not.toContain("directory");
  expect(await failure(all(client.list()))).toMatchObject({ code: "INTERNAL" });
  expect(ran).toEqual([]);
});

it("takes nothing for true but true", async () => {
  const { client, ran } = vault((() => "yes") as unknown as Authorize);
  expect((await failure(client.open())).code).toBe("PERMISSION_DENIED");
  expect(ran).toEqual([]);
});

it("does not run a call that was cancelled while it was asked about", async () => {
  const gate = new Gate<boolean>();
  const { client, ran } = vault(() => gate.promise);
  const call = client.open.start();
  await settled();
  await call.cancel();
  expect((await failure(call)).code).toBe("CANCELLED");
  await settled();
  gate.open(true);
  await settled();
  expect(ran).toEqual([]);
});

it("asks with the peer and the method", async () => {
  const asked: unknown[] = [];
  const { client } = vault((peer, method) => {
    asked.push([peer.endpoint.startsWith("memory:"), method.name, method.kind]);
    return true;
  });
  await client.open();
  expect(asked).toEqual([[true, "demo.Vault.open", "unary"]]);
});

describe("allowLists", () => {
  const authorize = allowLists({ bot: ["demo.Vault.*", "rpc.health.v1.Health.check"], admin: ["*"], idle: [] });
  const may = (identity: string | undefined, name: string) =>
    authorize({ identity } as Peer, { name } as Parameters<Authorize>[1]);

  it.each([
    ["bot", "demo.Vault.open", true],
    ["bot", "demo.Vault.deeper.open", true],
    ["bot", "demo.VaultX.open", false],
    ["bot", "demo.Vault", false],
    ["bot", "rpc.health.v1.Health.check", true],
    ["bot", "rpc.health.v1.Health.checks", false],
    ["admin", "anything.at.all", true],
    ["idle", "demo.Vault.open", false],
    ["stranger", "demo.Vault.open", false],
    ["constructor", "demo.Vault.open", false],
    ["__proto__", "demo.Vault.open", false],
    [undefined, "demo.Vault.open", false],
  ])("for %s, %s: %s", (identity, name, expected) => {
    expect(may(identity, name)).toBe(expected);
  });

  it.each(["demo.Va*", "*.open", "demo.*.open", "**"])("refuses the pattern %s", (pattern) => {
    expect(thrownBy(() => allowLists({ bot: [pattern] })).code).toBe("INVALID_ARGUMENT");
  });
});
