import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type XmlRpcMethod, xmlRpcProxy } from "@rpc/xmlrpc";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createDatabase } from "../../../packages/db-queue/test/postgres-database.ts";
import { ServerRig } from "./server-rig.ts";
import { DATABASES } from "./store-rig.ts";

type Methods = Record<"search" | "read" | "search_read" | "search_count" | "create", XmlRpcMethod>;
type Models = Record<"buildrequest" | "build" | "builder" | "commit" | "buildbot" | "test_result", Methods>;

describe.each(DATABASES)("models over XML-RPC, of %s", (kind) => {
  let rig: ServerRig;
  beforeAll(async () => {
    rig = await ServerRig.start(kind === "postgres" ? { databaseUrl: await createDatabase() } : {});
    await rig.configure();
  });
  afterAll(() => rig[Symbol.asyncDispose]());

  const open = (token: string, user = "") => {
    const auth = user === "" ? { token } : { user, password: token };
    return xmlRpcProxy<{ software_dev: Models }>(`${rig.server.httpUrl}/RPC2?db=buildbot`, { auth });
  };

  test("a script wishes for a build, and reads what has become of it", async () => {
    const db = open(rig.admin);
    const { buildrequest, build, builder, buildbot } = db.software_dev;
    const id = (await buildrequest.create(
      [],
      [{ builder: "walls", reason: "a script", properties: { a: "b" } }],
    )) as number;
    expect(await buildrequest.read([id], [["state", "results", "properties", "submitted_by", "revision"]])).toEqual([
      { id, state: "pending", results: false, properties: { a: "b" }, submitted_by: "admin", revision: false },
    ]);
    const { token } = await rig.people(rig.admin).bots.create({ name: "one" });
    const { desk } = rig.bot(token);
    await desk.hello({ incarnation: "i", about: {}, running: [] });
    const [order] = await desk.claim({ incarnation: "i", max: 1 });
    const writer = { build: order?.build ?? 0, incarnation: "i" };
    await desk.addTests({
      ...writer,
      part: 0,
      tests: [{ step: 1, suite: "s", name: "100%", state: "fail", durationMs: 1.5 }],
    });
    const at = Date.now();
    await desk.finished({ ...writer, at, results: "warnings", summary: "so so" });

    const [request] = (await buildrequest.read([id], [[]])) as [Record<string, unknown>];
    expect(request).toMatchObject({ state: "complete", results: 1, result: "warnings", build_id: order?.build });
    expect(request["submitted_at"]).toBeInstanceOf(Date);
    expect(await build.search_read([], [[["request_id", "=", id]], ["number", "bot", "finished_at"]])).toEqual([
      { id: order?.build, number: 1, bot: "one", finished_at: new Date(at - (at % 1000)) },
    ]);
    expect(await builder.search([], [[["name", "in", ["walls", "cellar"]]]])).toHaveLength(1);
    const [one] = (await buildbot.search_read([], [[]])) as [Record<string, unknown>];
    expect(one).toMatchObject({ name: "one", paused: false, incarnation: "i" });
    expect(one).not.toHaveProperty("secret");
    const tests = (domain: unknown[]) => db.software_dev.test_result.search_count([], [domain]);
    expect(await tests([["name", "like", "100%"]])).toBe(1);
    expect(await tests([["name", "like", "1%0"]])).toBe(0);
    expect(await tests([["name", "=like", "1%"]])).toBe(1);
    await db.$close();
  });

  test("domains mean what they say", async () => {
    const db = open(rig.admin, "admin");
    const { buildrequest } = db.software_dev;
    for (const [builder, priority] of [
      ["walls", 7],
      ["roof", 8],
      ["roof", 9],
    ] as const) {
      await buildrequest.create([], [{ builder, priority, reason: "domains", branch: `b${priority}` }]);
    }
    const found = async (domain: unknown[], order = "priority"): Promise<unknown[]> => {
      const records = await buildrequest.search_read(
        [],
        [[["reason", "=", "domains"], ...domain], ["priority"], 0, false, order],
      );
      return (records as { priority: number }[]).map(({ priority }) => priority);
    };
    expect(await found([])).toEqual([7, 8, 9]);
    expect(await found([], "priority desc")).toEqual([9, 8, 7]);
    expect(await found([["builder", "=", "roof"]])).toEqual([8, 9]);
    expect(await found(["|", ["priority", "<", 8], ["priority", ">=", 9]])).toEqual([7, 9]);
    expect(await found(["!", "|", ["priority", "<", 8], ["priority", ">=", 9]])).toEqual([8]);
    expect(await found(["&", ["builder", "!=", "walls"], ["branch", "ilike", "B9"]])).toEqual([9]);
    expect(await found([["priority", "not in", [7, 8]]])).toEqual([9]);
    expect(await found([["priority", "in", []]])).toEqual([]);
    expect(await found([["results", "=", false]])).toEqual([7, 8, 9]);
    expect(await found(["!", ["results", "=", 0]])).toEqual([7, 8, 9]);
    expect(await found([["results", "!=", 0]])).toEqual([7, 8, 9]);
    expect(
      await found([
        ["submitted_at", ">", "2020-01-01 00:00:00"],
        ["submitted_at", ">", new Date(0)],
      ]),
    ).toEqual([7, 8, 9]);
    await db.$close();
  });

  test("what is asked for by another name, or of another kind, is a ValidationError", async () => {
    const db = open(rig.admin);
    const { buildrequest, build } = db.software_dev;
    const evil = `id" = 1; drop table builds; --`;
    const asked: Promise<unknown>[] = [
      buildrequest.search([], [[[evil, "=", 1]]]),
      buildrequest.search([], [[["id", evil, 1]]]),
      buildrequest.search([], [[["id", "=", evil]]]),
      buildrequest.search([], [[["constructor", "=", 1]]]),
      buildrequest.search([], [[["properties", "=", "x"]]]),
      buildrequest.search([], [["|", ["id", "=", 1]]]),
      buildrequest.search([], [["id"]]),
      buildrequest.search([], [[["id", "="]]]),
      buildrequest.search([], [[["id", "in", 1]]]),
      buildrequest.search([], [Array.from({ length: 200 }, () => ["id", "=", 1])]),
      buildrequest.search([], [[], 0, 10, evil]),
      buildrequest.search([], [[], 0, 10, "id sideways"]),
      buildrequest.read([1], [[evil]]),
      buildrequest.read(["1"], [[]]),
      build.search_read([], [[], ["token_hash"]]),
      buildrequest.create([], [{ builder: "cellar" }]),
      buildrequest.create([], [{ builder: "walls", state: "complete" }]),
      buildrequest.create([], [{ builder: "walls", priority: 10_000 }]),
      buildrequest.create(
        [],
        [
          {
            builder: "walls",
            properties: Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`p${at}`, "x".repeat(9_000)])),
          },
        ],
      ),
    ];
    const outcomes = await Promise.all(asked.map((one) => one.catch((error: unknown) => error)));
    const refused: unknown = expect.objectContaining({ code: "INVALID_ARGUMENT", reason: "ValidationError" });
    expect(outcomes).toEqual(outcomes.map(() => refused));
    await expect(buildrequest.read([9999], [[]])).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(build.create([], [{}])).rejects.toMatchObject({ code: "UNIMPLEMENTED" });
    expect(await build.search_count([], [[]])).toBeTypeOf("number");
    await db.$close();
  });

  test("viewers read and do not create; who is nobody does neither", async () => {
    const viewer = open(await rig.newUser("vera", "viewer"), "vera");
    expect(await viewer.software_dev.builder.search([], [[]])).toHaveLength(2);
    await expect(viewer.software_dev.buildrequest.create([], [{ builder: "walls" }])).rejects.toMatchObject({
      code: "PERMISSION_DENIED",
    });
    await viewer.$close();
    for (const db of [open("guess"), open(rig.admin, "vera"), open("anonymous")]) {
      await expect(db.software_dev.builder.search([], [[]])).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
      await db.$close();
    }
  });

  test("Python's own client triggers a build and reads it", async () => {
    const script = fileURLToPath(new URL("trigger.py", import.meta.url));
    const url = `${rig.server.httpUrl.replace("//", `//admin:${rig.admin}@`)}/RPC2?db=buildbot`;
    const { stdout } = await promisify(execFile)("python3", [script, url, "walls"]);
    expect(stdout).toMatch(/^request \d+ of walls is pending, wished by admin: from Python\nValidationError\n$/);
  });
});
