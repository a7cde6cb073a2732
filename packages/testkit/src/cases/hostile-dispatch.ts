import { clientStream, createRouter, defineContract, event, notification, serverStream, unary } from "@rpc/core";
import { check, equal, rejects, setAside } from "../assert.ts";
import { collect, createGate } from "../gate.ts";
import { listOf, recordOf, shape, text, whole } from "../shapes.ts";
import { renaming } from "../named-transport.ts";
import {
  KIND_OF_CALL,
  clientOf,
  clientOfOne,
  one,
  proves,
  serveOne,
  type TransportBench,
  type TransportCase,
  type TransportPair,
} from "../transport-bench.ts";

const Order = defineContract("testkit.Order", {
  place: unary({ input: recordOf({ item: text, steps: listOf(recordOf({ command: text })) }), output: whole }),
});
const Kinds = defineContract("testkit.Kinds", { call: unary(), tell: notification(), read: serverStream() });

// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/;

/** H71–H78: names and inputs that reach for what is not served. */
export const hostileDispatchCases: readonly TransportCase[] = [
  proves("H71", "refuses methods named like members of every object", async (bench) => {
    const { client, pair } = await one(bench, (input) => input);
    for (const name of ["__proto__", "constructor", "toString", "valueOf", "hasOwnProperty", "__defineGetter__"]) {
      await rejects(callNamed(bench, pair, name), { code: "UNIMPLEMENTED" }, name);
    }
    equal(await client.run(1), 1, "next call");
  }),

  proves("H72", "refuses methods named then, catch and toJSON", async (bench) => {
    const { pair } = await one(bench, (input) => input);
    for (const name of [
      "then",
      "catch",
      "finally",
      "toJSON",
      "Symbol.iterator",
      "Symbol(nodejs.util.inspect.custom)",
    ]) {
      await rejects(callNamed(bench, pair, name), { code: "UNIMPLEMENTED" }, name);
    }
  }),

  proves("H72", "lets a client be awaited, printed and compared without a call", async (bench) => {
    let runs = 0;
    const { pair } = await one(bench, () => void (runs += 1));
    const client = clientOf(bench, defineContract("testkit.One", { run: unary() }), pair.transport);
    // oxlint-disable-next-line typescript/await-thenable -- that a client is no thenable is what is proved
    check((await client) === client, "awaiting a client gives something else");
    check(Reflect.get(client, "then") === undefined, "a client has a then");
    check(typeof JSON.stringify(client) === "string", "a client does not print");
    check(Object.keys(client).includes("run"), "a client does not name its methods");
    equal(runs, 0, "calls made by looking at the client");
  }),

  proves("H73", "does not reach inherited, private and getter members behind a handler", async (bench) => {
    let touched = 0;
    class Behind {
      constructor() {
        Object.defineProperty(this, "secret", { get: () => (touched += 1), enumerable: true });
      }
      run(input: unknown): unknown {
        return input;
      }
      _hidden(): void {
        touched += 1;
      }
      stop(): void {
        touched += 1;
      }
    }
    const implementation = new Behind();
    const pair = await bench.connect(serveOne((input) => implementation.run(input)));
    for (const name of ["_hidden", "stop", "secret", "#secret", "prototype", "run.call", "run.apply"]) {
      await rejects(callNamed(bench, pair, name), { code: "UNIMPLEMENTED" }, name);
    }
    equal(touched, 0, "members reached");
  }),

  proves("H74", "refuses empty, overlong and escaping names, and cuts them in the message", async (bench) => {
    const { client, pair } = await one(bench, (input) => input);
    for (const name of ["", "x".repeat(10_000), "a\u0000b", "a\r\nb", "/../etc", "\u001b[31mred"]) {
      const error = await rejects(
        callNamed(bench, pair, name),
        // A wire may bound the length of a name by itself.
        {
          code:
            name.length > 1_000
              ? ["UNIMPLEMENTED", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"]
              : ["UNIMPLEMENTED", "INVALID_ARGUMENT"],
        },
        JSON.stringify(name.slice(0, 20)),
      );
      check(error.message.length < 1_000, `the message repeats ${error.message.length} characters`);
      check(!CONTROL.test(error.message), `the message holds control characters: ${JSON.stringify(error.message)}`);
    }
    equal(await client.run(1), 1, "next call");
  }),

  proves("H75", "refuses names that only look the same", async (bench) => {
    const { client, pair } = await one(bench, (input) => input);
    equal(await client.run(1), 1, "the exact name");
    for (const name of ["run\u200b", "r\u0075\u0308n", "\u0433un", "ｒｕｎ", "RUN", "run ", " run"]) {
      await rejects(callNamed(bench, pair, name), { code: "UNIMPLEMENTED" }, JSON.stringify(name));
    }
  }),

  proves("H76", "refuses input of the wrong shape with its path, and does not run the handler", async (bench) => {
    let runs = 0;
    const pair = await bench.connect(createRouter(Order, { place: () => ((runs += 1), 1) }));
    const dynamic = clientOf(bench, defineContract("testkit.Order", { place: unary() }), pair.transport);
    const wrong: readonly (readonly [unknown, string])[] = [
      [[], "record"],
      ["hat", "record"],
      [null, "record"],
      [{ item: "hat", steps: "go" }, "steps"],
      [{ item: "hat", steps: [{ command: "go" }, { command: 5 }] }, "steps[1].command"],
      [{ steps: [] }, "item"],
    ];
    for (const [input, part] of wrong) {
      await rejects(dynamic.place(input), { code: "INVALID_ARGUMENT", message: part }, `input without ${part}`);
    }
    equal(runs, 0, "runs of the handler");
    equal(await dynamic.place({ item: "hat", steps: [{ command: "go" }] }), 1, "a right one");
  }),

  proves("H77", "refuses a method that is called in the wrong kind", async (bench) => {
    let runs = 0;
    const router = createRouter(Kinds, {
      call: () => void (runs += 1),
      tell: () => void (runs += 1),
      read: async function* () {
        runs += 1;
        yield 1;
      },
    });
    const pair = await bench.connect(router);
    const asCall = clientOf(bench, defineContract("testkit.Kinds", { tell: unary(), read: unary() }), pair.transport);
    if (bench.loses(KIND_OF_CALL)) {
      await asCall.tell();
      equal(runs, 1, "runs of a notification that was called");
      runs = 0;
    } else await rejects(asCall.tell(), { code: "UNIMPLEMENTED" }, "a notification, called");
    await rejects(asCall.read(), { code: "UNIMPLEMENTED" }, "a stream, called");
    if (typeof bench.capabilities.serverStream === "string") {
      const asStream = clientOf(bench, defineContract("testkit.Kinds", { call: serverStream() }), pair.transport);
      await rejects(collect(asStream.call()), { code: "UNIMPLEMENTED" }, "a unary method, streamed");
    }
    if (typeof bench.capabilities.clientStream === "string") {
      const asInput = clientOf(bench, defineContract("testkit.Kinds", { read: clientStream() }), pair.transport);
      await rejects(asInput.read([1]), { code: "UNIMPLEMENTED" }, "a server stream, fed");
    }
    equal(runs, 0, "runs of the handlers");
  }),

  proves("H77", "has no function for an event in a client", async (bench) => {
    if (typeof bench.capabilities.topics !== "string") setAside("topics is declared a gap");
    const { pair } = await one(bench, (input) => input);
    const client = clientOf(bench, defineContract("testkit.Topics", { changed: event() }), pair.transport);
    check(typeof Reflect.get(client, "changed") !== "function", "an event can be called");
  }),

  proves("H78", "validates by validators that are asynchronous and takes the value that they return", async (bench) => {
    const seen: unknown[] = [];
    const later = shape<string>(async (value) =>
      typeof value === "string" ? { value: value.trim() } : { issues: [{ message: "must be text" }] },
    );
    const Later = defineContract("testkit.Later", { run: unary({ input: later }) });
    const pair = await bench.connect(createRouter(Later, { run: (input) => void seen.push(input) }));
    const client = clientOf(bench, Later, pair.transport);
    await client.run("  spaces  ");
    await rejects(
      client.run(5 as unknown as string),
      { code: "INVALID_ARGUMENT", message: "must be text" },
      "wrong input",
    );
    equal(seen, ["spaces"], "inputs at the handler");
  }),

  proves("H78", "gives a validator that breaks as INTERNAL and bounds an endless list of issues", async (bench) => {
    let runs = 0;
    const broken = shape<unknown>(async (value) => {
      if (value === "reject") throw new TypeError("the validator broke later");
      return { issues: Array.from({ length: 100_000 }, (_, i) => ({ message: `issue ${i}`, path: [i] })) };
    });
    const throwing = shape<unknown>(() => {
      throw new TypeError("the validator broke");
    });
    const Broken = defineContract("testkit.Broken", {
      run: unary({ input: broken }),
      walk: unary({ input: throwing }),
    });
    const count = (): void => void (runs += 1);
    const pair = await bench.connect(createRouter(Broken, { run: count, walk: count }));
    const client = clientOf(bench, Broken, pair.transport);
    await rejects(client.walk("throw"), { code: "INTERNAL" }, "a validator that throws");
    await rejects(client.run("reject"), { code: "INTERNAL" }, "a validator that rejects");
    const error = await rejects(client.run("many"), { code: "INVALID_ARGUMENT" }, "100,000 issues");
    check(error.message.length < 20_000, `a message of ${error.message.length} characters`);
    check(JSON.stringify(error.details ?? null).length < 100_000, "details without bound");
    equal(runs, 0, "runs of the handler");
  }),

  proves("H78", "ends at its deadline a call whose validator never settles", async (bench) => {
    const entered = createGate();
    const stuck = shape<unknown>(() => {
      entered.open();
      return createGate<never>().passed;
    });
    const Stuck = defineContract("testkit.Stuck", { run: unary({ input: stuck }) });
    const pair = await bench.connect(createRouter(Stuck, { run: (input) => input }));
    const call = clientOf(bench, Stuck, pair.transport).run(1, { timeoutMs: 1_000 });
    await Promise.race([entered.passed, call.catch(() => undefined)]);
    bench.clock.advance(1_000);
    await rejects(call, { code: "DEADLINE_EXCEEDED" }, "call");
  }),
];

/** Calls a method of any name, as a peer does that has no contract. */
function callNamed(bench: TransportBench, pair: TransportPair, name: string): Promise<unknown> {
  const transport = renaming(pair.transport, (method) => ({ ...method, name: `testkit.One.${name}` }));
  return clientOfOne(bench, transport).run(1);
}
