import { getEventListeners } from "node:events";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  type CallContext,
  createClient,
  createRouter,
  defineContract,
  type Interceptor,
  RpcError,
  unary,
} from "../src/index.ts";
import { settled } from "./fake-clock.ts";
import { all, failure, Gate, memory } from "./rig.ts";
import { Test, served } from "./client-rig.ts";

describe("createClient", () => {
  it("C131 does no I/O", () => {
    const transport = memory(served());
    createClient(Test, transport);
    expect(transport.connected).toBe(false);
    expect(transport.listener.connectionCount).toBe(0);
  });

  it("H72 gives something that can be awaited, printed and written as JSON without harm", async () => {
    const client = createClient(Test, memory(served()));
    expect(await (client as unknown as Promise<unknown>)).toBe(client);
    expect(inspect(client)).toContain("echo");
    expect(JSON.stringify(client)).toBe("{}");
    // oxlint-disable-next-line typescript/no-base-to-string -- the point of the test
    expect(String(client)).toBe("client of test.Test");
    expect("then" in client).toBe(false);
    expect("toJSON" in client).toBe(false);
  });

  it("H71 offers nothing but the contract's methods", () => {
    const client = createClient(Test, memory(served())) as unknown as Record<string, unknown>;
    expect(Object.keys(client)).toEqual(["echo", "fail", "hang", "count", "sum", "double", "wake"]);
    for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty", "valueOf"])
      expect(client[name]).toBeUndefined();
    expect(Object.isFrozen(client)).toBe(true);
  });

  it("gives a plain promise for a call", async () => {
    const promise = createClient(Test, memory(served())).echo({ a: 1 });
    expect(Object.getPrototypeOf(promise)).toBe(Promise.prototype);
    expect(await promise).toEqual({ a: 1 });
  });

  it("C19 makes a call without input and without output", async () => {
    expect(await createClient(Test, memory(served())).echo()).toBeUndefined();
  });

  it("C21 keeps a thousand calls at once apart", async () => {
    const client = createClient(Test, memory(served()));
    const numbers = Array.from({ length: 1_000 }, (_, i) => i);
    expect(await Promise.all(numbers.map((n) => client.echo(n)))).toEqual(numbers);
  });

  it("C42 settles a notification when it is handed over, and the handler runs", async () => {
    const woken: string[] = [];
    const client = createClient(Test, memory(served([], woken)));
    expect(await client.wake("new request")).toBeUndefined();
    await settled();
    expect(woken).toEqual(["new request"]);
  });

  it("C71 reads a server stream", async () => {
    expect(await all(createClient(Test, memory(served())).count(200))).toEqual(
      Array.from({ length: 200 }, (_, i) => i + 1),
    );
  });

  it("makes a new call each time a server stream is read", async () => {
    const stream = createClient(Test, memory(served())).count(2);
    expect(await all(stream)).toEqual([1, 2]);
    expect(await all(stream)).toEqual([1, 2]);
  });

  it("makes no call for a stream that is never read", async () => {
    const transport = memory(served());
    createClient(Test, transport).count(2);
    await settled();
    expect(transport.connected).toBe(false);
  });

  it.each([
    ["a list", [1, 2, 3]],
    ["a set", new Set([1, 2, 3])],
  ])("C73 takes %s as client stream", async (_what, input) => {
    expect(await createClient(Test, memory(served())).sum(input)).toBe(6);
  });

  it("C73 takes an async generator as client stream", async () => {
    const client = createClient(Test, memory(served()));
    const numbers = async function* () {
      for (let i = 1; i <= 500; i++) yield i;
    };
    expect(await client.sum(numbers())).toBe(125_250);
  });

  it("C74 C76 takes empty streams", async () => {
    const client = createClient(Test, memory(served()));
    expect(await client.sum([])).toBe(0);
    expect(await all(client.double([]))).toEqual([]);
    expect(await all(client.count(0))).toEqual([]);
  });

  it("C75 carries a stream both ways, message by message", async () => {
    const client = createClient(Test, memory(served()));
    const got: number[] = [];
    let next = new Gate();
    const numbers = async function* () {
      for (let i = 1; i <= 5; i++) {
        yield i;
        await next.promise;
        next = new Gate();
      }
    };
    for await (const n of client.double(numbers())) {
      got.push(n);
      next.open();
    }
    expect(got).toEqual([2, 4, 6, 8, 10]);
  });
});

describe("options of a call", () => {
  it("reach the handler: metadata and idempotency key", async () => {
    const contexts: CallContext[] = [];
    await createClient(Test, memory(served(contexts))).echo(1, {
      metadata: { tenant: "acme" },
      idempotencyKey: "key-1",
    });
    expect(contexts[0]?.metadata.get("tenant")).toBe("acme");
    expect(contexts[0]?.idempotencyKey).toBe("key-1");
    expect(contexts[0]?.attempt).toBe(1);
    expect(contexts[0]?.depth).toBe(0);
  });

  it("H87 refuse an idempotency key with half a character, and the session lives", async () => {
    const client = createClient(Test, memory(served()));
    const going = client.echo("other");
    expect(await failure(client.echo(1, { idempotencyKey: "\ud800" }))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await going).toBe("other");
  });

  it("C63 with an aborted signal send nothing", async () => {
    const contexts: CallContext[] = [];
    const transport = memory(served(contexts));
    await transport.ready();
    const error = await failure(createClient(Test, transport).echo(1, { signal: AbortSignal.abort() }));
    expect(error).toMatchObject({ code: "CANCELLED", reason: "CANCELLED" });
    expect(contexts).toEqual([]);
  });

  it("C64 with a signal reject at once, and the handler's signal aborts with the reason", async () => {
    const contexts: CallContext[] = [];
    const controller = new AbortController();
    const failed = failure(createClient(Test, memory(served(contexts))).hang(1, { signal: controller.signal }));
    await settled();
    controller.abort(new Error("newer commit"));
    expect(await failed).toMatchObject({ code: "CANCELLED", message: "test.Test.hang: newer commit" });
    await settled();
    expect(contexts[0]?.signal.aborted).toBe(true);
    expect(contexts[0]?.signal.reason).toMatchObject({ code: "CANCELLED", message: "test.Test.hang: newer commit" });
  });

  it("C66 with a signal that aborts after the reply change nothing", async () => {
    const controller = new AbortController();
    const client = createClient(Test, memory(served()));
    expect(await client.echo(1, { signal: controller.signal })).toBe(1);
    controller.abort();
    expect(await client.echo(2)).toBe(2);
  });

  it.each([
    ["a call that succeeds", (client: ReturnType<typeof clientOf>, signal: AbortSignal) => client.echo(1, { signal })],
    [
      "a call that fails",
      (client: ReturnType<typeof clientOf>, signal: AbortSignal) => failure(client.fail(1, { signal })),
    ],
    [
      "a call that an interceptor refuses",
      (client: ReturnType<typeof clientOf>, signal: AbortSignal) => failure(client.hang(1, { signal })),
    ],
    [
      "a stream that is read to its end",
      (client: ReturnType<typeof clientOf>, signal: AbortSignal) => all(client.count(3, { signal })),
    ],
    [
      "input that is refused here",
      (client: ReturnType<typeof clientOf>, signal: AbortSignal) =>
        failure(client.sum(["x" as unknown as number], { signal })),
    ],
    ["a notification", (client: ReturnType<typeof clientOf>, signal: AbortSignal) => client.wake("", { signal })],
  ])("H215 leave nothing with a signal after %s", async (_what, run) => {
    const controller = new AbortController();
    await run(clientOf(), controller.signal);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  function clientOf() {
    const refuse: Interceptor = {
      call: (input, ctx, next) =>
        ctx.method.name.endsWith("hang") ? Promise.reject(new RpcError("ABORTED", "no")) : next(input, ctx),
    };
    return createClient(Test, memory(served()), { interceptors: [refuse], validateInput: true });
  }

  it("H58 refuse a timeout that is no number", async () => {
    const client = createClient(Test, memory(served()));
    expect(await failure(client.echo(1, { timeoutMs: Number.NaN }))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await failure(client.echo(1, { timeoutMs: -1 }))).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("H58 refuse a deadline that is no number, and the session lives", async () => {
    const client = createClient(Test, memory(served()));
    const going = client.echo("other");
    expect(await failure(client.echo(1, { deadline: Number.NaN }))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(await going).toBe("other");
  });
});

describe("validateInput", () => {
  it("fails a client stream at the first item that breaks the contract", async () => {
    const client = createClient(Test, memory(served()), { validateInput: true });
    const error = await failure(client.sum([1, "two" as unknown as number]));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("is off by default: the server refuses", async () => {
    const transport = memory(served());
    const wrong = createClient(Test, transport).count("x" as unknown as number);
    expect(await failure(all(wrong))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(transport.connected).toBe(true);
  });

  it("does not send a call that was cancelled while its input was being validated", async () => {
    const gate = new Gate<boolean>();
    const Slow = defineContract("test.Slow", { run: unary({ input: z.string().refine(() => gate.promise) }) });
    let ran = false;
    const transport = memory(createRouter(Slow, { run: () => (ran = true) }));
    const handle = createClient(Slow, transport, { validateInput: true }).run.start("x");
    await handle.cancel();
    gate.open(true);
    expect(await failure(handle)).toMatchObject({ code: "CANCELLED" });
    await settled();
    expect(ran).toBe(false);
  });
});
