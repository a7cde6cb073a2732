import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  allowLists,
  type Authorize,
  authorized,
  createClient,
  createRouter,
  event,
  job,
  notification,
  defineContract,
  type Peer,
  RpcError,
  serverStream,
  clientStream,
  unary,
  workQueue,
} from "../src/index.ts";
import type { CallContext } from "../src/index.ts";
import type { EventSink, EventSource, SubscribeRequest } from "../src/words/topics.ts";
import type { JobFeed, JobRequest, JobTaker, Submitter } from "../src/words/work-queue.ts";
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

/** Topics and jobs behind a question that is answered later, with everything noted that comes out at either end. */
function guardedPorts(verdict: Promise<boolean>) {
  const notes: string[] = [];
  const note =
    (name: string) =>
    (...values: readonly unknown[]): void =>
      void notes.push([name, ...values.map((value) => (value instanceof RpcError ? value.code : value))].join(" "));
  const context = { peer: {}, method: { name: "demo.Vault.opened" } } as CallContext;
  const source = { open: note("open"), grant: note("grant"), close: note("close"), finish: note("finish") };
  const guarded = authorized(
    {
      ...createRouter(Vault, { open: () => 1, list: () => [], pour: () => 1, knock: () => undefined }),
      topicPort: { subscribe: () => (note("subscribe")(), source as unknown as EventSource) },
      workQueue: {
        submit: () => (note("submit")(), { detach: note("detach") }),
        consume: () => (note("consume")(), source as unknown as JobFeed),
      },
    },
    (_peer, _method, act) => (note("asked")(act), verdict),
  );
  const { topicPort, workQueue } = guarded;
  if (topicPort === undefined || workQueue === undefined) throw new Error("the ports are lost");
  return {
    notes,
    subscribe: () =>
      topicPort.subscribe({} as SubscribeRequest, context, { ended: note("ended") } as unknown as EventSink),
    submit: () => workQueue.submit({} as JobRequest, context, { failed: note("failed") } as unknown as Submitter),
    consume: () => workQueue.consume(context, { ended: note("ended") } as unknown as JobTaker),
  };
}

describe("authorized topics and jobs, answered later", () => {
  it("begin when they are allowed, with what was asked for in the meantime", async () => {
    const { notes, subscribe, submit, consume } = guardedPorts(settled().then(() => true));
    const source = subscribe();
    source.open(4);
    source.grant(2);
    consume().open(3);
    submit().detach();
    expect(notes).toEqual(["asked subscribe", "asked consume", "asked submit"]);
    await settled();
    await settled();
    expect(notes.slice(3)).toEqual(["subscribe", "open 6", "consume", "open 3", "submit", "detach"]);
    source.grant(1);
    expect(notes.at(-1)).toBe("grant 1");
  });

  it("end with the refusal when they are not, and reach nothing", async () => {
    const { notes, subscribe, submit, consume } = guardedPorts(settled().then(() => false));
    const late = subscribe();
    subscribe().open(1);
    consume().open(1);
    submit();
    await settled();
    await settled();
    expect(notes.slice(4)).toEqual(["ended PERMISSION_DENIED", "ended PERMISSION_DENIED", "failed PERMISSION_DENIED"]);
    late.open(1);
    expect(notes.at(-1)).toBe("ended PERMISSION_DENIED");
  });

  it("are not begun when nobody wants them any more", async () => {
    const { notes, subscribe, consume } = guardedPorts(settled().then(() => true));
    const source = subscribe();
    source.open(1);
    source.close(new RpcError("CANCELLED", "enough"));
    consume().finish();
    await settled();
    await settled();
    expect(notes).toEqual(["asked subscribe", "asked consume", "ended "]);
  });
});

it("tells a submitter of a refusal that needed no waiting", () => {
  const failures: RpcError[] = [];
  const handler = authorized(
    {
      ...createRouter(Vault, { open: () => 1, list: () => [], pour: () => 1, knock: () => undefined }),
      workQueue: { submit: () => ({ detach: () => undefined }), consume: () => ({}) as JobFeed },
    },
    (_peer, _method, act) => act !== "submit",
  );
  const context = { peer: {}, method: { name: "demo.Vault.work" } } as CallContext;
  const submitter = { failed: (error: RpcError) => failures.push(error) } as unknown as Submitter;
  handler.workQueue?.submit({} as JobRequest, context, submitter);
  expect(failures).toMatchObject([{ code: "PERMISSION_DENIED" }]);
});

describe("allowLists", () => {
  const authorize = allowLists({ bot: ["demo.Vault.*", "rpc.health.v1.Health.check"], admin: ["*"], idle: [] });
  const may = (identity: string | undefined, name: string) =>
    authorize({ identity } as Peer, { name } as Parameters<Authorize>[1], "call");

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

  it.each([
    ["demo.Jobs.run", ["call", "subscribe", "submit"]],
    ["demo.Jobs.*", ["call", "subscribe", "submit"]],
    ["*", ["call", "subscribe", "submit"]],
    ["demo.Jobs.run:submit", ["submit"]],
    ["demo.Jobs.run:consume", ["consume"]],
    ["demo.Jobs.*:consume", ["consume"]],
    ["*:subscribe", ["subscribe"]],
    ["*:call", ["call"]],
    ["demo.Jobs.other:consume", []],
  ])("with %s allows %s", (pattern, expected) => {
    const authorizeOne = allowLists({ bot: [pattern] });
    const method = { name: "demo.Jobs.run" } as Parameters<Authorize>[1];
    const acts = ["call", "subscribe", "submit", "consume"] as const;
    expect(acts.filter((act) => authorizeOne({ identity: "bot" } as Peer, method, act) === true)).toEqual(expected);
  });

  it.each(["demo.Va*", "*.open", "demo.*.open", "**", "demo.run:eat", "demo.run:", "*:submit:call", "a:toString"])(
    "refuses the pattern %s",
    (pattern) => {
      const error = thrownBy(() => allowLists({ bot: [pattern] }));
      expect(error.code).toBe("INVALID_ARGUMENT");
      expect(error.message).toContain(JSON.stringify(pattern));
    },
  );
});

describe("a refusal", () => {
  const Works = defineContract("demo.Works", {
    news: event({ payload: z.string() }),
    run: job({ input: z.number(), output: z.number() }),
    look: unary(),
  });

  it.each([
    ["is not allowed to", () => false],
    ["may", () => Promise.reject(new Error("no directory"))],
  ])("says what the peer %s do", async (words, authorize) => {
    const router = createRouter(Works, { run: workQueue(), look: () => 1 });
    const client = createClient(Works, memory(authorized(router, authorize)));
    const texts = [
      await failure(client.look()),
      await failure(client.news.subscribe().ready),
      await failure(client.run.submit(1)),
      await failure(client.run.consume({ handle: () => 1 }).ready),
    ];
    expect(texts.map(({ message }) => message)).toEqual([
      expect.stringContaining(`${words} call it`),
      expect.stringContaining(`${words} subscribe to it`),
      expect.stringContaining(`${words} submit it as a job`),
      expect.stringContaining(`${words} consume its jobs`),
    ]);
  });
});
