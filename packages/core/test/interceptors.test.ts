import { describe, expect, it } from "vitest";
import {
  type CallContext,
  createClient,
  createRouter,
  defineContract,
  type Interceptor,
  mergeRouters,
  RpcError,
  unary,
} from "../src/index.ts";
import { settled } from "./fake-clock.ts";
import { all, failure, memory } from "./rig.ts";
import { Test, served } from "./client-rig.ts";

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
    expect(await failure(client.echo(1))).toMatchObject({
      code: "INTERNAL",
      message: "an interceptor failed: logger broke",
    });
    expect(await failure(client.echo.start(1))).toMatchObject({
      code: "INTERNAL",
      message: "an interceptor failed: logger broke",
    });
  });

  it.each(throwing)("H79 that %s at the server fails the call, and the session lives", async (_what, interceptor) => {
    const Broken = defineContract("test.Broken", { run: unary() });
    const transport = memory(
      mergeRouters(createRouter(Broken, { run: () => 1 }, { interceptors: [interceptor] }), served()),
    );
    expect(await failure(createClient(Broken, transport).run())).toMatchObject({
      code: "INTERNAL",
      message: "an interceptor failed: logger broke",
    });
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
    expect(await failure(all(client.count(5)))).toMatchObject({
      code: "INTERNAL",
      message: "an interceptor failed: meter broke",
    });
    expect(await failure(client.sum([1]))).toMatchObject({ code: "INTERNAL" });
  });

  it("H79 that never settle are ended by the caller's cancel", async () => {
    const controller = new AbortController();
    const client = createClient(Test, memory(served()), {
      interceptors: [{ call: () => new Promise(() => undefined) }],
    });
    const failed = failure(client.echo(1, { signal: controller.signal }));
    controller.abort();
    expect(await failed).toMatchObject({ code: "CANCELLED" });
  });
});
