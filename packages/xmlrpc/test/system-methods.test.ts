import { describe, expect, it } from "vitest";
import { createDemo, faultIn, openNodeRig, valueOf } from "./server-rig.ts";

const item = (methodName: string, params: readonly unknown[] = []): unknown => ({ methodName, params });

describe("introspection", () => {
  it("X30 lists methods, with system.* and without what cannot be called", async () => {
    await using rig = await openNodeRig(createDemo().router);
    const names = valueOf(await rig.call("system.listMethods", [])) as string[];
    expect(names).toContain("demo.Greeter.hello");
    expect(names).toContain("demo.Greeter.told");
    expect(names).toContain("system.multicall");
    expect(names).not.toContain("system.sequence");
    for (const name of names) {
      valueOf(await rig.call("system.methodHelp", [name]));
      valueOf(await rig.call("system.methodSignature", [name]));
    }
  });

  it("X30 tells signatures and help", async () => {
    await using rig = await openNodeRig(createDemo().router);
    expect(valueOf(await rig.call("system.methodSignature", ["demo.Greeter.hello"]))).toEqual([
      ["struct", "string", "double"],
      ["struct", "struct"],
    ]);
    expect(valueOf(await rig.call("system.methodSignature", ["demo.Greeter.echo"]))).toBe("undef");
    expect(valueOf(await rig.call("system.methodSignature", ["system.multicall"]))).toEqual([["array", "array"]]);
    expect(valueOf(await rig.call("system.methodHelp", ["demo.Greeter.hello"]))).toBe("Greets somebody.");
    expect(valueOf(await rig.call("system.methodHelp", ["demo.Greeter.echo"]))).toBe("");
    for (const name of ["no.such", "", 5, undefined])
      for (const method of ["system.methodHelp", "system.methodSignature"])
        expect(faultIn(await rig.call(method, name === undefined ? [] : [name])).code).toBe(-32_601);
  });

  it("says in the python profile that signatures are not supported", async () => {
    await using rig = await openNodeRig(createDemo().router, { profile: "python" });
    expect(valueOf(await rig.call("system.methodSignature", ["demo.Greeter.hello"]))).toBe("signatures not supported");
    expect(faultIn(await rig.call("no.such", []))).toMatchObject({
      code: 1,
      message: expect.stringMatching(/^<class 'Exception'>:method "no\.such" is not supported/) as string,
    });
  });

  it("answers the small extras of RPC::XML and the capabilities", async () => {
    await using rig = await openNodeRig(createDemo().router);
    expect(valueOf(await rig.call("system.identity", []))).toBe("@rpc/xmlrpc");
    expect(valueOf(await rig.call("system.status", []))).toMatchObject({ name: "@rpc/xmlrpc", uptime_seconds: 0 });
    expect(valueOf(await rig.call("system.introspection", ["demo.Greeter.add"]))).toEqual({
      name: "demo.Greeter.add",
      help: "",
      signature: ["double double double", "double struct"],
    });
    expect(valueOf(await rig.call("system.introspection", [["demo.Greeter.add"]]))).toHaveLength(1);
    expect((valueOf(await rig.call("system.introspection", [])) as unknown[]).length).toBeGreaterThan(10);
    expect(valueOf(await rig.call("system.getCapabilities", []))).toMatchObject({
      xmlrpc: { specVersion: 1 },
      "system.multicall": { specVersion: 1 },
      faults_interop: { specVersion: 20_010_516 },
    });
    expect(valueOf(await rig.call("system.noop", []))).toBeNull();
  });

  it("knows no other system method, and no sequence without records", async () => {
    await using rig = await openNodeRig(createDemo().router);
    for (const name of ["system.", "system.sequence", "system.constructor", "system.__proto__", "system.shutdown"])
      expect(faultIn(await rig.call(name, []))).toMatchObject({
        code: -32_601,
        message: `NameError: method "${name}" is not supported`,
      });
  });
});

describe("X27 system.multicall", () => {
  it("gives each call its result or its fault, and stops at none", async () => {
    await using rig = await openNodeRig(createDemo().router);
    expect(
      valueOf(
        await rig.call("system.multicall", [
          [
            item("demo.Greeter.add", [1, 2]),
            item("demo.Greeter.fail", ["badly"]),
            item("demo.Greeter.hello", [{ name: "Ada" }]),
            item("no.such"),
            item("demo.Greeter.add", ["x", 2]),
            item("system.noop"),
            item("demo.Greeter.nothing"),
          ],
        ]),
      ),
    ).toEqual([
      [3],
      { faultCode: -32_500, faultString: "TypeError: bad luck" },
      [{ text: "hello Ada" }],
      { faultCode: -32_601, faultString: expect.stringContaining("no.such") as string },
      { faultCode: -32_602, faultString: expect.stringContaining("a") as string },
      [null],
      [null],
    ]);
    expect(valueOf(await rig.call("system.multicall", [[]]))).toEqual([]);
  });

  it("H130 gives bad items a fault of their own, and calls itself never", async () => {
    await using rig = await openNodeRig(createDemo().router);
    const answers = valueOf(
      await rig.call("system.multicall", [
        [
          5,
          "x",
          null,
          [],
          {},
          { params: [] },
          { methodName: 5, params: [] },
          { methodName: "demo.Greeter.add" },
          { methodName: "demo.Greeter.add", params: {} },
          { methodName: "demo.Greeter.add", params: "x" },
          item("system.multicall", [[item("system.multicall", [[]])]]),
          item("demo.Greeter.add", [1, 2]),
        ],
      ]),
    ) as { faultCode?: number }[];
    expect(answers.map((answer) => answer.faultCode)).toEqual([
      -32_600,
      -32_600,
      -32_600,
      -32_600,
      -32_601,
      -32_601,
      -32_600,
      -32_602,
      -32_602,
      -32_602,
      -32_603,
      undefined,
    ]);
  });

  it("H130 refuses more calls than the limit as a whole, and parameters that are no array of calls", async () => {
    const demo = createDemo();
    await using rig = await openNodeRig(demo.router, { maxMessageBytes: 32 * 1024 * 1024 });
    const calls = (count: number): unknown[] => Array.from({ length: count }, () => item("demo.Greeter.hello", ["a"]));
    expect(valueOf(await rig.call("system.multicall", [calls(1_000)]))).toHaveLength(1_000);
    expect(demo.runs).toBe(1_000);
    expect(faultIn(await rig.call("system.multicall", [calls(1_001)])).code).toBe(-32_400);
    expect(faultIn(await rig.call("system.multicall", [calls(50_000)])).code).toBe(-32_400);
    expect(demo.runs).toBe(1_000);
    for (const params of [[], [5], ["x"], [{}], [[], []]])
      expect(faultIn(await rig.call("system.multicall", params)).code).toBe(-32_602);
  });

  it("replaces only the result that cannot be said", async () => {
    await using rig = await openNodeRig(createDemo().router, { profile: "python" });
    expect(
      valueOf(await rig.call("system.multicall", [[item("system.noop"), item("demo.Greeter.add", [1, 2])]])),
    ).toEqual([{ faultCode: 1, faultString: expect.stringContaining("cannot marshal None") as string }, [3]]);
  });

  it("makes its calls one after the other, and none after the client is gone", async () => {
    const demo = createDemo();
    await using rig = await openNodeRig(demo.router);
    const entered = demo.entered();
    const reply = rig.call("system.multicall", [[item("demo.Greeter.wait"), item("demo.Greeter.hello", ["x"])]]);
    const context = await entered;
    expect(demo.runs).toBe(0);
    context.peer.disconnect();
    expect(faultIn(await reply).code).toBe(-32_005);
    expect(demo.runs).toBe(0);
  });
});
