import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommandService } from "@rpc/db-queue";
import { createClient, RpcError } from "@rpc/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Desk } from "../src/contracts/bot.ts";
import { Bots, Builds, House, Settings, Users } from "../src/contracts/page.ts";
import { ROLES } from "../src/contracts/values.ts";
import { needsOf } from "../src/server/auth/roles.ts";
import { botKey } from "../src/server/auth/index.ts";
import { createBus } from "../src/server/bus.ts";
import { modelHandlers } from "../src/server/models/index.ts";
import { ServerRig } from "./server-rig.ts";

describe("the table of roles", () => {
  const served = {
    "buildbot.v1.Builds": Builds,
    "buildbot.v1.House": House,
    "buildbot.v1.Bots": Bots,
    "buildbot.v1.Settings": Settings,
    "buildbot.v1.Users": Users,
    "buildbot.v1.Desk": Desk,
    "rpc.queue.v1.CommandService": CommandService,
  };

  for (const [contract, methods] of Object.entries(served)) {
    test(`has every method of ${contract}`, () => {
      const names = Object.keys(methods);
      expect(names.length).toBeGreaterThan(3);
      for (const name of names) expect([name, needsOf(`${contract}.${name}`)]).not.toContain(undefined);
    });
  }

  test("has every method of the models", async () => {
    await using rig = await ServerRig.start();
    expect(rig.messages).toEqual([]);
    const parts = { store: { db: undefined }, commands: undefined, bus: createBus() };
    // Nothing of the parts is touched before a call.
    const handlers = modelHandlers(parts as unknown as Parameters<typeof modelHandlers>[0]);
    const methods = Object.values(handlers)
      .flatMap(({ contracts }) => contracts)
      .flatMap((contract) => Array.from(contract.methods.values()));
    expect(methods).toHaveLength(25);
    for (const { name } of methods) expect([name, needsOf(name)]).not.toContain(undefined);
  });

  test("knows nothing else", () => {
    for (const name of [
      "",
      "list",
      "buildbot.v1.Builds.constructor",
      "constructor.name",
      "__proto__.list",
      "buildbot.v2.Builds.list",
    ]) {
      expect(needsOf(name)).toBeUndefined();
    }
  });
});

describe("roles", () => {
  let rig: ServerRig;
  const tokens = new Map<string, string>([["anonymous", "anonymous"]]);
  beforeAll(async () => {
    rig = await ServerRig.start();
    await rig.configure();
    for (const role of ROLES) tokens.set(role, await rig.newUser(`a-${role}`, role));
  });
  afterAll(() => rig[Symbol.asyncDispose]());

  const calls = {
    "Builds.list": { needs: "anonymous", run: (who) => who.builds.list({}) },
    "Bots.list": { needs: "anonymous", run: (who) => who.bots.list() },
    "Builds.force": { needs: "developer", run: (who) => who.builds.force({ builder: "walls" }) },
    "Bots.command ping": { needs: "developer", run: (who) => who.bots.command({ bot: "*", method: "ping" }) },
    "Bots.command shutdown": { needs: "admin", run: (who) => who.bots.command({ bot: "*", method: "shutdown" }) },
    "Settings.get": { needs: "admin", run: (who) => who.settings.get() },
    "Settings.history": { needs: "admin", run: (who) => who.settings.history({}) },
    "Users.list": { needs: "admin", run: (who) => who.users.list() },
  } satisfies Record<string, { needs: string; run: (who: ReturnType<ServerRig["people"]>) => Promise<unknown> }>;
  const order = ["anonymous", "viewer", "developer", "admin"];

  for (const [name, { needs, run }] of Object.entries(calls)) {
    test(`${name} needs ${needs}`, async () => {
      for (const role of order) {
        const outcome: unknown = await run(rig.people(tokens.get(role) ?? "")).then(
          () => "done",
          (error: unknown) => (error instanceof RpcError ? error.code : error),
        );
        expect([role, outcome]).toEqual([
          role,
          order.indexOf(role) >= order.indexOf(needs) ? "done" : "PERMISSION_DENIED",
        ]);
      }
    });
  }

  test("people do not speak for bots, nor bots for people", async () => {
    const { bots, transport } = rig.people(rig.admin, "tcp");
    const { token } = await bots.create({ name: "mason" });
    const desk = createClient(Desk, transport);
    await expect(desk.claim({ incarnation: "x", max: 1 })).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    await expect(
      createClient(CommandService, transport).pop({ address: "a", agent: "b", incarnation: "c" }),
    ).rejects.toBeInstanceOf(RpcError);
    const mason = rig.bot(token);
    expect(await mason.desk.repositories()).toHaveLength(2);
    await expect(mason.builds.list({})).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
  });

  test("the desk is not served to pages", async () => {
    const desk = createClient(Desk, rig.people(rig.admin).transport);
    await expect(desk.repositories()).rejects.toMatchObject({ code: "UNIMPLEMENTED" });
  });

  test("who is removed is out at the next call, and whoever gets the name is somebody else", async () => {
    const ada = rig.people(await rig.newUser("ada", "developer"));
    expect(await ada.users.whoami()).toEqual({ name: "ada", role: "developer" });
    await rig.people(rig.admin).users.remove({ name: "ada" });
    await expect(ada.users.whoami()).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    await rig.newUser("ada", "viewer");
    await expect(ada.users.whoami()).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  });

  test("the last admin stays", async () => {
    const { users } = rig.people(rig.admin);
    await users.remove({ name: "a-admin" });
    await expect(users.remove({ name: "admin" })).rejects.toMatchObject({ code: "FAILED_PRECONDITION" });
    await expect(users.remove({ name: "nobody" })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("tokens", () => {
  test("that nobody has are refused, on every way in", async () => {
    await using rig = await ServerRig.start({ anonymous: "none" });
    const wrong = randomBytes(32).toString("base64url");
    for (const token of [wrong, "anonymous", rig.admin.slice(1)]) {
      for (const over of ["ws", "tcp"] as const) {
        await expect(rig.people(token, over).users.whoami()).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
      }
    }
    for (const path of ["/session", "/raw/1/1", "/artefacts/1/a", "/badge/walls.svg"]) {
      expect([path, (await fetch(rig.server.httpUrl + path)).status]).toEqual([path, 401]);
    }
    const shown = await fetch(`${rig.server.httpUrl}/session`, { headers: { authorization: `Bearer ${rig.admin}` } });
    expect(await shown.json()).toMatchObject({ name: "admin", role: "admin" });
  });

  test("of bots follow from a key that is not in the database", async () => {
    await using rig = await ServerRig.start();
    const { token } = await rig.people(rig.admin).bots.create({ name: "one" });
    const secret = token.slice("one:".length);
    expect(secret).toMatch(/^[\w-]{43}$/);
    expect(statSync(join(rig.dataDir, "bots.key")).mode & 0o777).toBe(0o600);
    await rig.restart();
    expect(await rig.bot(token).desk.repositories()).toEqual([]);
    await expect(rig.bot(`two:${secret}`).desk.repositories()).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    const { token: other } = await rig.people(rig.admin).bots.create({ name: "two" });
    expect(other).not.toContain(secret);
  });

  test("the key is the same for servers that start together", async () => {
    const folder = mkdtempSync(join(tmpdir(), "buildbot-key-"));
    try {
      const keys = await Promise.all(Array.from({ length: 8 }, () => botKey(join(folder, "key"))));
      expect(new Set(keys.map((key) => key.toString("hex"))).size).toBe(1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("a page gets in with a ticket for one connection", async () => {
    await using rig = await ServerRig.start();
    const { httpUrl } = rig.server;
    const login = (token: string, headers: Record<string, string> = {}) =>
      fetch(`${httpUrl}/login`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify({ token }),
      });
    expect((await login("wrong")).status).toBe(401);
    expect((await login("anonymous")).status).toBe(401);
    expect((await login(rig.admin, { origin: "http://evil.example" })).status).toBe(403);
    expect((await login(rig.admin, { "content-type": "text/plain" })).status).toBe(415);
    expect((await login("x".repeat(5000))).status).toBe(413);
    const entered = await login(rig.admin, { origin: httpUrl });
    expect(await entered.json()).toEqual({ name: "admin", role: "admin" });
    const cookie = entered.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(/; HttpOnly; SameSite=Strict;/);

    const session = await fetch(`${httpUrl}/session`, { headers: { cookie: cookie.split(";", 1)[0] ?? "" } });
    const { ticket } = (await session.json()) as { ticket: string };
    expect(await rig.people(ticket).users.whoami()).toEqual({ name: "admin", role: "admin" });
    await expect(rig.people(ticket).users.whoami()).rejects.toMatchObject({ code: "UNAUTHENTICATED" });

    const nobody = (await (await fetch(`${httpUrl}/session`)).json()) as { ticket: string; role: string };
    expect(nobody.role).toBe("viewer");
    expect(await rig.people(nobody.ticket).users.whoami()).toEqual({ name: "anonymous", role: "viewer" });
    const out = await fetch(`${httpUrl}/logout`, { method: "POST" });
    expect(out.headers.get("set-cookie")).toContain("Max-Age=0");
  });
});
