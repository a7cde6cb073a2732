import { defineContract, unary } from "@rpc/core";
import { check, equal, rejects, setAside } from "../assert.ts";
import { createGate, turns, watch } from "../gate.ts";
import { clientOf, clientOfOne, one, proves, type TransportCase } from "../transport-bench.ts";
import { patterned, range } from "./bytes.ts";

/** C19–C26, C36, C49–C51: one call, one reply. */
export const unaryCases: readonly TransportCase[] = [
  proves("C19", "carries an empty input and an empty output", async (bench) => {
    const inputs: unknown[] = [];
    const { client } = await one(bench, (input) => {
      inputs.push(input);
      return {};
    });
    equal(await client.run({}), {}, "output");
    equal(inputs, [{}], "inputs");
  }),

  proves("C19", "carries no value at all in either direction", async (bench) => {
    const inputs: unknown[] = [];
    const { client } = await one(bench, (input) => {
      inputs.push(input);
      return undefined;
    });
    const output = await client.run();
    check(output === undefined || output === null, "a handler that returns nothing gave a value");
    check(inputs.length === 1 && (inputs[0] === undefined || inputs[0] === null), "no input became a value");
  }),

  proves("C20", "carries 271,828 bytes in and 314,159 bytes out", async (bench) => {
    const seen: unknown[] = [];
    // Text of as many bytes where the wire has no bytes.
    const body = (length: number, seed: number): unknown =>
      bench.loses("bytes") ? "x".repeat(length) : patterned(length, seed);
    const { client } = await one(bench, (input) => {
      seen.push(input);
      return { body: body(314_159, 2) };
    });
    const output = await client.run({ body: body(271_828, 1) });
    equal(seen, [{ body: body(271_828, 1) }], "input");
    equal(output, { body: body(314_159, 2) }, "output");
  }),

  proves(
    "C21",
    "gives each of 1,000 concurrent calls its own reply, whatever the order they finish in",
    async (bench) => {
      const gates = range(1_000).map(() => createGate());
      let started = 0;
      const allStarted = createGate();
      const { client } = await one(
        bench,
        async (input) => {
          const { n } = input as { readonly n: number };
          started += 1;
          if (started === 1_000) allStarted.open();
          await gates[n]?.passed;
          return { n };
        },
        { limits: { maxCallsInFlight: 2_000 } },
      );
      const calls = range(1_000).map((n) => client.run({ n }));
      await allStarted.passed;
      for (const gate of gates.toReversed()) gate.open();
      equal(
        await Promise.all(calls),
        range(1_000).map((n) => ({ n })),
        "replies",
      );
    },
  ),

  proves("C22", "does not hold up a fast call behind a slow one", async (bench) => {
    const gate = createGate();
    const { client } = await one(bench, async (input) => {
      if (input === "slow") await gate.passed;
      return input;
    });
    const slow = client.run("slow");
    const watched = watch(slow);
    equal(await client.run("fast"), "fast", "fast reply");
    check(!watched.settled, "the slow call settled before its handler did");
    gate.open();
    equal(await slow, "slow", "slow reply");
  }),

  proves("C25", "refuses an unknown method of a served contract and stays usable", async (bench) => {
    const { client, pair } = await one(bench, (input) => input);
    const Newer = defineContract("testkit.One", { run: unary(), walk: unary() });
    const newer = clientOf(bench, Newer, pair.transport);
    await rejects(newer.walk({}), { code: "UNIMPLEMENTED", message: "walk" }, "unknown method");
    equal(await client.run(1), 1, "call after the refusal");
  }),

  proves("C26", "says of a contract that is not served something else than of an unknown method", async (bench) => {
    const { pair } = await one(bench, (input) => input);
    const Newer = defineContract("testkit.One", { walk: unary() });
    const Absent = defineContract("testkit.Absent", { walk: unary() });
    const method = await rejects(clientOf(bench, Newer, pair.transport).walk(1), { code: "UNIMPLEMENTED" }, "method");
    const contract = await rejects(
      clientOf(bench, Absent, pair.transport).walk(1),
      { code: "UNIMPLEMENTED" },
      "contract",
    );
    check(contract.message.includes("testkit.Absent"), `the message does not name the contract: "${contract.message}"`);
    // Where the wire has one code for both, the text says which.
    const isTold = method.reason !== contract.reason || !method.message.includes("contract");
    check(isTold, `both have reason ${method.reason}, and the text does not say which`);
  }),

  proves("C36", "lets a newer peer send members and call methods that the older one does not know", async (bench) => {
    const seen: unknown[] = [];
    const { pair } = await one(bench, (input) => {
      seen.push((input as { readonly name: unknown }).name);
      return { text: "hello", added: { since: 2 } };
    });
    const Newer = defineContract("testkit.One", { run: unary(), later: unary() });
    const newer = clientOf(bench, Newer, pair.transport);
    const output = (await newer.run({ name: "Ada", nickname: "A", tags: ["x"] })) as { readonly text: unknown };
    equal([seen, output.text], [["Ada"], "hello"], "known members");
    await rejects(newer.later({}), { code: "UNIMPLEMENTED" }, "newer method");
    await newer.run({ name: "Bob" });
  }),

  proves(
    "C49",
    "takes input up to the limit and refuses one that is larger, then takes the next call",
    async (bench) => {
      const limit = 20_000;
      const { client } = await one(bench, (input) => (input as string).length, { limits: { maxMessageBytes: limit } });
      const largest = await largestThatPasses(limit, (length) => client.run("x".repeat(length)));
      check(largest > limit - 512, `an input of ${largest + 1} bytes was refused under a limit of ${limit}`);
      // What travels along with an input, a count of messages for one, may take a few bytes more in the next call.
      equal(await client.run("x".repeat(largest - 16)), largest - 16, "input at the limit");
      await rejects(client.run("x".repeat(largest + 16)), { code: "RESOURCE_EXHAUSTED" }, "input over the limit");
      await rejects(client.run("x".repeat(limit * 5)), { code: "RESOURCE_EXHAUSTED" }, "input far over the limit");
      equal(await client.run("next"), 4, "call after the refusal");
    },
  ),

  proves("C50", "refuses output over the caller's limit at the caller, then takes the next call", async (bench) => {
    const limit = 20_000;
    const { client } = await one(bench, (input) => "y".repeat(input as number), {
      callerLimits: { maxMessageBytes: limit },
    });
    equal(await client.run(limit - 1_000), "y".repeat(limit - 1_000), "output under the limit");
    await rejects(client.run(limit + 1), { code: "RESOURCE_EXHAUSTED" }, "output over the limit");
    equal(await client.run(3), "yyy", "call after the refusal");
  }),

  proves("C51", "gives the handler the id that the caller's handle has", async (bench) => {
    const ids: string[] = [];
    const { client } = await one(bench, (_, ctx) => void ids.push(ctx.id));
    const handle = client.run.start({});
    await handle;
    equal(ids, [handle.id], "ids in the handler");
    check(handle.id.length > 0, "the id is empty");
    await client.run({});
    check(ids[1] !== undefined && ids[1] !== ids[0] && ids[1].length > 0, "two calls have one id");
  }),

  proves("C23", "keeps two transports to one listener apart", async (bench) => {
    const { client, pair } = await one(bench, async (input) => {
      await turns(1);
      return input;
    });
    if (pair.another === undefined) setAside("the factory gives no second client");
    const other = pair.another();
    bench.defer(() => other.close());
    const second = clientOfOne(bench, other);
    const replies = await Promise.all(range(50).flatMap((n) => [client.run({ a: n }), second.run({ b: n })]));
    equal(
      replies,
      range(50).flatMap((n) => [{ a: n }, { b: n }]),
      "replies",
    );
  }),
];

/** The length at which a call still passes; one more is refused. */
async function largestThatPasses(limit: number, call: (length: number) => Promise<unknown>): Promise<number> {
  let passing = 0;
  let refused = limit + 1;
  while (refused - passing > 1) {
    const middle = Math.floor((passing + refused) / 2);
    const passed = await call(middle).then(
      () => true,
      () => false,
    );
    if (passed) passing = middle;
    else refused = middle;
  }
  return passing;
}
