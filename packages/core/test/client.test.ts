import { getEventListeners } from "node:events";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  bidiStream,
  type CallContext,
  clientStream,
  createClient,
  createRouter,
  defineContract,
  type Interceptor,
  mergeRouters,
  notification,
  RpcError,
  serverStream,
  unary,
} from "../src/index.ts";
import { settled } from "./fake-clock.ts";
import { all, failure, Gate, memory } from "./rig.ts";

const Test = defineContract("test.Test", {
  echo: unary(),
  fail: unary(),
  hang: unary(),
  count: serverStream({ input: z.number() }),
  sum: clientStream({ input: z.number(), output: z.number() }),
  double: bidiStream({ input: z.number(), output: z.number() }),
  wake: notification({ input: z.string() }),
});

function served(contexts: CallContext[] = [], woken: string[] = []) {
  return createRouter(Test, {
    echo: (input, ctx) => {
      contexts.push(ctx);
      return input;
    },
    fail: () => {
      throw new RpcError("ABORTED", "on purpose");
    },
    hang: (_input, ctx) => {
      contexts.push(ctx);
      return new Promise(() => undefined);
    },
    count: async function* (to) {
      for (let i = 1; i <= to; i++) yield i;
    },
    sum: async (numbers) => {
      let sum = 0;
      for await (const n of numbers) sum += n;
      return sum;
    },
    double: async function* (numbers) {
      for await (const n of numbers) yield n * 2;
    },
    wake: (reason) => void woken.push(reason),
  });
}

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
    expect("then" in client).toBe(false);
    expect("toJSON" in client).toBe(false);
  });

  it("H71 offers nothing but the contract's methods", () => {
    const client = createClient(Test, memory(served())) as unknown as Record<string, unknown>;
    expect(Object.keys(client)).toEqual(["echo", "fail", "hang", "count", "sum", "double", "wake"]);
    for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty", "valueOf"]) expect(client[name]).toBeUndefined();
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
    expect(await all(createClient(Test, memory(served())).count(200))).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
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
    await createClient(Test, memory(served(contexts))).echo(1, { metadata: { tenant: "acme" }, idempotencyKey: "key-1" });
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
    ["a call that fails", (client: ReturnType<typeof clientOf>, signal: AbortSignal) => failure(client.fail(1, { signal }))],
    ["a call that an interceptor refuses", (client: ReturnType<typeof clientOf>, signal: AbortSignal) => failure(client.hang(1, { signal }))],
    ["a stream that is read to its end", (client: ReturnType<typeof clientOf>, signal: AbortSignal) => all(client.count(3, { signal }))],
    ["input that is refused here", (client: ReturnType<typeof clientOf>, signal: AbortSignal) => failure(client.sum(["x" as unknown as number], { signal }))],
    ["a notification", (client: ReturnType<typeof clientOf>, signal: AbortSignal) => client.wake("", { signal })],
  ])("H215 leave nothing with a signal after %s", async (_what, run) => {
    const controller = new AbortController();
    await run(clientOf(), controller.signal);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  function clientOf() {
    const refuse: Interceptor = {
      call: (input, ctx, next) => (ctx.method.name.endsWith("hang") ? Promise.reject(new RpcError("ABORTED", "no")) : next(input, ctx)),
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
    expect(await failure(createClient(Test, transport).count("x" as unknown as number)[Symbol.asyncIterator]().next())).toMatchObject({ code: "INVALID_ARGUMENT" });
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

describe("interceptors", () => {
  function noting(notes: string[], name: string): Interceptor {
    return {
      call: async (input, ctx, next) => {
        notes.push(`${name}>`);
        try {
          const output = await next(input, ctx);
          notes.push(`<${name}`);
          return output;
        } catch (thrown) {
          notes.push(`!${name}`);
          throw thrown;
        }
      },
      stream: async function* (input, ctx, next) {
        notes.push(`${name}>`);
        yield* next(input, ctx);
        notes.push(`<${name}`);
      },
    };
  }

  function wrapped() {
    const notes: string[] = [];
    const router = createRouter(
      Test,
      { ...implementation, echo: (input) => (notes.push("handler"), input) },
      { interceptors: [noting(notes, "s1"), noting(notes, "s2")] },
    );
    const client = createClient(Test, memory(router), { interceptors: [noting(notes, "c1"), noting(notes, "c2")] });
    return { notes, client };
  }
  const implementation = {
    echo: (input: unknown) => input,
    fail: () => {
      throw new RpcError("ABORTED", "on purpose");
    },
    hang: () => null,
    count: () => [1, 2],
    sum: () => 0,
    double: () => [],
    wake: () => undefined,
  };

  it("C40 wrap a call from the outside in, on both ends", async () => {
    const { notes, client } = wrapped();
    await client.echo(1);
    expect(notes).toEqual(["c1>", "c2>", "s1>", "s2>", "handler", "<s2", "<s1", "<c2", "<c1"]);
  });

  it("C40 see errors pass, on both ends", async () => {
    const { notes, client } = wrapped();
    expect(await failure(client.fail())).toMatchObject({ code: "ABORTED" });
    expect(notes).toEqual(["c1>", "c2>", "s1>", "s2>", "!s2", "!s1", "!c2", "!c1"]);
  });

  it("C40 wrap a stream from the outside in, on both ends", async () => {
    const { notes, client } = wrapped();
    expect(await all(client.count(1))).toEqual([1, 2]);
    expect(notes).toEqual(["c1>", "c2>", "s1>", "s2>", "<s2", "<s1", "<c2", "<c1"]);
  });

  it("may change input and output", async () => {
    const client = createClient(Test, memory(served()), {
      interceptors: [{ call: async (input, ctx, next) => [await next([input], ctx)] }],
    });
    expect(await client.echo(1)).toEqual([[1]]);
  });

  it("may answer by themselves", async () => {
    const transport = memory(served());
    const client = createClient(Test, transport, { interceptors: [{ call: () => "cached" }] });
    expect(await client.echo(1)).toBe("cached");
    expect(transport.connected).toBe(false);
  });

  it("C39 may give each call its own credentials", async () => {
    const contexts: CallContext[] = [];
    let calls = 0;
    const client = createClient(Test, memory(served(contexts)), {
      interceptors: [
        {
          call: (input, ctx, next) => {
            ctx.metadata.set("authorization", `token-${++calls}`);
            return next(input, ctx);
          },
        },
      ],
    });
    await client.echo(1);
    await client.echo(2);
    expect(contexts.map((ctx) => ctx.metadata.get("authorization"))).toEqual(["token-1", "token-2"]);
  });

  it("may call again, and the caller can still cancel", async () => {
    const contexts: CallContext[] = [];
    const controller = new AbortController();
    const twice = createClient(Test, memory(served(contexts)), {
      interceptors: [
        {
          call: async (input, ctx, next) => {
            try {
              return await next(input, ctx);
            } catch {
              return next(input, ctx);
            }
          },
        },
      ],
    });
    const failed = failure(twice.hang(1, { signal: controller.signal }));
    await settled();
    // The first try ends with the connection, the second one hangs.
    contexts[0]?.peer?.disconnect();
    await settled();
    expect(contexts).toHaveLength(2);
    controller.abort(new Error("enough"));
    expect(await failed).toMatchObject({ code: "CANCELLED" });
    await settled();
    expect(contexts[1]?.signal.aborted).toBe(true);
  });

  const throwing: [string, Interceptor][] = [
    [
      "throws",
      {
        call: () => {
          throw new Error("logger broke");
        },
      },
    ],
    ["rejects", { call: () => Promise.reject(new Error("logger broke")) }],
  ];

  it.each(throwing)("H79 that %s at the client fails the call with an RpcError", async (_what, interceptor) => {
    const client = createClient(Test, memory(served()), { interceptors: [interceptor] });
    expect(await failure(client.echo(1))).toMatchObject({ code: "INTERNAL", message: "an interceptor failed: logger broke" });
    expect(await failure(client.echo.start(1))).toMatchObject({ code: "INTERNAL", message: "an interceptor failed: logger broke" });
  });

  it.each(throwing)("H79 that %s at the server fails the call, and the session lives", async (_what, interceptor) => {
    const Broken = defineContract("test.Broken", { run: unary() });
    const transport = memory(mergeRouters(createRouter(Broken, { run: () => 1 }, { interceptors: [interceptor] }), served()));
    expect(await failure(createClient(Broken, transport).run())).toMatchObject({ code: "INTERNAL", message: "an interceptor failed: logger broke" });
    expect(await createClient(Test, transport).echo(1)).toBe(1);
    expect(transport.connected).toBe(true);
  });

  it("H79 that throw in a stream fail the stream with an RpcError", async () => {
    const client = createClient(Test, memory(served()), {
      interceptors: [
        {
          stream: async function* (input, ctx, next) {
            for await (const item of next(input, ctx)) {
              yield item;
              throw new Error("meter broke");
            }
          },
        },
      ],
    });
    expect(await failure(all(client.count(5)))).toMatchObject({ code: "INTERNAL", message: "an interceptor failed: meter broke" });
    expect(await failure(client.sum([1]))).toMatchObject({ code: "INTERNAL" });
  });

  it("H79 that never settle are ended by the caller's cancel", async () => {
    const controller = new AbortController();
    const client = createClient(Test, memory(served()), { interceptors: [{ call: () => new Promise(() => undefined) }] });
    const failed = failure(client.echo(1, { signal: controller.signal }));
    controller.abort();
    expect(await failed).toMatchObject({ code: "CANCELLED" });
  });
});
