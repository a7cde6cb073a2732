import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dynamicRouter, expose, mergeRouters, Reflection, reflection, rpcTo, createClient } from "../../src/index.ts";
import { createRouter, defineContract, unary } from "../../src/index.ts";
import { failure, memory, refusalOf, thrownBy } from "../rig.ts";
import * as tools from "./tools.ts";

describe("K07 register", () => {
  it("takes a function by its own name or by another", async () => {
    const router = dynamicRouter();
    function add(a: number, b: number): number {
      return a + b;
    }
    router.register(add);
    router.register((text: string) => text.toUpperCase(), { name: "shout" });
    const rpc = rpcTo(memory(router));
    expect([await rpc("add", [1, 2]), await rpc("shout", ["hey"])]).toEqual([3, "HEY"]);
  });

  it("takes a module: its functions, but no private ones, no classes, no values, no default", async () => {
    const router = dynamicRouter();
    router.register(tools);
    expect(router.commands.toSorted()).toEqual(["double", "renamed"]);
    expect(await rpcTo(memory(router))("double", [4])).toBe(8);
  });

  it("takes a plain object, whose functions keep their this", async () => {
    const router = dynamicRouter();
    router.register({
      prefix: ">",
      _hidden: () => 1,
      mark(text: string) {
        return this.prefix + text;
      },
    });
    expect(router.commands).toEqual(["mark"]);
    expect(await rpcTo(memory(router))("mark", ["a"])).toBe(">a");
  });

  it("H73 asks no getter, and takes nothing that is inherited", () => {
    const router = dynamicRouter();
    let asked = false;
    const object = Object.defineProperty({ real: () => 1 }, "trap", {
      enumerable: true,
      get: () => {
        asked = true;
        return () => 2;
      },
    });
    router.register(object);
    expect([router.commands, asked]).toEqual([["real"], false]);
  });

  it("keeps what it found: a member that is replaced later is not called", async () => {
    const router = dynamicRouter();
    const object = { version: () => 1 };
    router.register(object);
    object.version = () => 2;
    expect(await rpcTo(memory(router))("version")).toBe(1);
  });

  it.each(["__proto__", "constructor", "then", "toString", "hasOwnProperty", "_x", "", "a.b", "a b", "größe", "1st"])(
    "H71 refuses the name %j",
    (name) => {
      expect(thrownBy(() => dynamicRouter().register(() => 1, { name }))).toMatchObject({ code: "INVALID_ARGUMENT" });
    },
  );

  it("refuses a name that is taken, and then takes nothing of the object", () => {
    const router = dynamicRouter();
    router.register(() => 1, { name: "two" });
    expect(thrownBy(() => router.register({ one: () => 1, two: () => 2 })).message).toContain("two");
    expect(router.commands).toEqual(["two"]);
    const twice = { a: expose(() => 1, { name: "same" }), b: expose(() => 2, { name: "same" }) };
    expect(thrownBy(() => router.register(twice)).message).toContain("same");
  });

  it.each([
    ["a function without a name", (): unknown => () => 1],
    ["a class", (): unknown => tools.Helper],
    ["an object without functions", (): unknown => ({ value: 1 })],
    ["an instance without marks", (): unknown => new Map()],
    ["a number", (): unknown => 5],
    ["nothing", (): unknown => null],
  ])("refuses %s", (_what, make) => {
    const error = thrownBy(() => dynamicRouter().register(make() as object));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(error.message).toMatch(/^register: /);
  });

  it("refuses a thing twice, and options for an object", () => {
    const router = dynamicRouter();
    const object = { one: () => 1 };
    router.register(object);
    expect(thrownBy(() => router.register(object)).message).toContain("already");
    expect(thrownBy(() => router.register({ two: () => 2 }, { passPeer: true })).message).toContain("expose()");
  });

  it("reaches peers that are connected, and unregister does too", async () => {
    const router = dynamicRouter();
    const rpc = rpcTo(memory(router));
    expect(await failure(rpc("late"))).toMatchObject({ code: "UNIMPLEMENTED", reason: "METHOD_NOT_FOUND" });
    const object = { late: () => "here" };
    router.register(object);
    expect(await rpc("late")).toBe("here");
    expect([router.unregister(object), router.unregister(object)]).toEqual([true, false]);
    expect((await failure(rpc("late"))).code).toBe("UNIMPLEMENTED");
    router.register(object);
    expect(await rpc("late")).toBe("here");
  });

  it("lets calls that run end when their function is taken away", async () => {
    const router = dynamicRouter();
    const gate = Promise.withResolvers<string>();
    const wait = () => gate.promise;
    router.register(wait);
    const call = rpcTo(memory(router))("wait");
    await new Promise((resolve) => setImmediate(resolve));
    router.unregister(wait);
    gate.resolve("done");
    expect(await call).toBe("done");
  });

  it("stands beside contracts, and reflection lists what can be called", async () => {
    const Clock = defineContract("demo.Clock", { now: unary() });
    const router = dynamicRouter();
    const transport = memory(mergeRouters(createRouter(Clock, { now: () => 12 }), router, reflection(router)));
    router.register(() => 1, { name: "one" });
    expect([await createClient(Clock, transport).now(), await rpcTo(transport)("one")]).toEqual([12, 1]);
    const { methods } = await createClient(Reflection, transport).describe("dynamic");
    expect(methods.map(({ name }) => name)).toEqual(["one"]);
  });
});

it("holds exactly what is registered, whatever comes and goes", () => {
  const things = ["a", "b", "c"].flatMap((name) => [{ [name]: () => 1 }, { [name]: () => 2, [`${name}2`]: () => 3 }]);
  const step = fc.record({ thing: fc.constantFrom(...things), add: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const router = dynamicRouter();
      const model = new Set<object>();
      const names = () => [...model].flatMap((thing) => Object.keys(thing));
      for (const { thing, add } of steps) {
        const clash = model.has(thing) || Object.keys(thing).some((name) => names().includes(name));
        const expected = add ? !clash : model.has(thing);
        const done = add ? refusalOf(() => router.register(thing)) === undefined : router.unregister(thing);
        expect(done).toBe(expected);
        if (add && !clash) model.add(thing);
        if (!add) model.delete(thing);
      }
      expect(router.commands.toSorted()).toEqual(names().toSorted());
      for (const name of ["a", "b", "c", "a2", "toString"])
        expect(router.method(`dynamic.${name}`, "unary") !== undefined).toBe(names().includes(name));
    }),
  );
});
