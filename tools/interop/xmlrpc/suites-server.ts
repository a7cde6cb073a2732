import { createRouter, defineContract, type Listener, mergeRouters, unary } from "@rpc/core";
import { accounts, databases, serveXmlRpc } from "@rpc/xmlrpc";
import { z } from "zod";
import { DATABASE, partners } from "./server.ts";

const int32 = z.int32();
const stooges = z.looseObject({ moe: int32, larry: int32, curly: int32 });
const sum = ({ moe, larry, curly }: z.infer<typeof stooges>): number => moe + larry + curly;

/** The suite that Userland's validator ran, 1998. */
const Validator1 = defineContract("validator1", {
  arrayOfStructsTest: unary({ input: z.object({ structs: z.array(stooges) }), output: int32 }),
  countTheEntities: unary({ input: z.object({ text: z.string() }), output: z.record(z.string(), int32) }),
  easyStructTest: unary({ input: stooges, output: int32 }),
  echoStructTest: unary({ input: z.record(z.string(), z.unknown()), output: z.record(z.string(), z.unknown()) }),
  manyTypesTest: unary({
    input: z.object({
      number: int32,
      boolean: z.boolean(),
      string: z.string(),
      double: z.number(),
      dateTime: z.unknown(),
      base64: z.instanceof(Uint8Array),
    }),
    output: z.array(z.unknown()),
  }),
  moderateSizeArrayCheck: unary({ input: z.object({ texts: z.array(z.string()) }), output: z.string() }),
  nestedStructTest: unary({
    input: z.object({ calendar: z.record(z.string(), z.record(z.string(), z.record(z.string(), stooges))) }),
    output: int32,
  }),
  simpleStructReturnTest: unary({ input: z.object({ number: int32 }), output: z.record(z.string(), int32) }),
});

const validator1 = createRouter(Validator1, {
  arrayOfStructsTest: ({ structs }) => structs.reduce((total, { curly }) => total + curly, 0),
  countTheEntities: ({ text }) => {
    const count = (character: string): number => text.split(character).length - 1;
    return {
      ctLeftAngleBrackets: count("<"),
      ctRightAngleBrackets: count(">"),
      ctAmpersands: count("&"),
      ctApostrophes: count("'"),
      ctQuotes: count('"'),
    };
  },
  easyStructTest: sum,
  echoStructTest: (struct) => struct,
  manyTypesTest: ({ number, boolean, string, double, dateTime, base64 }) => [
    number,
    boolean,
    string,
    double,
    dateTime,
    base64,
  ],
  moderateSizeArrayCheck: ({ texts }) => `${texts[0]}${texts.at(-1)}`,
  nestedStructTest: ({ calendar }) => {
    const day = calendar["2000"]?.["04"]?.["01"];
    return day === undefined ? 0 : sum(day);
  },
  simpleStructReturnTest: ({ number }) => ({ times10: number * 10, times100: number * 100, times1000: number * 1000 }),
});

const echoed = <S extends z.ZodType>(value: S) => unary({ input: z.object({ value }), output: value });

/** The echo tests that toolkits ran against each other in 2001. */
const EchoTests = defineContract("interopEchoTests", {
  echoString: echoed(z.string()),
  echoStringArray: echoed(z.array(z.string())),
  echoInteger: echoed(int32),
  echoIntegerArray: echoed(z.array(int32)),
  echoFloat: echoed(z.number()),
  echoFloatArray: echoed(z.array(z.number())),
  echoStruct: echoed(z.record(z.string(), z.unknown())),
  echoStructArray: echoed(z.array(z.record(z.string(), z.unknown()))),
  echoValue: echoed(z.unknown()),
  echoBase64: echoed(z.instanceof(Uint8Array)),
  echoDate: echoed(z.unknown()),
  whichToolkit: unary({ output: z.record(z.string(), z.string()) }),
});

const echo = <T>({ value }: { readonly value: T }): T => value;
const echoTests = createRouter(EchoTests, {
  echoString: echo,
  echoStringArray: echo,
  echoInteger: echo,
  echoIntegerArray: echo,
  echoFloat: echo,
  echoFloatArray: echo,
  echoStruct: echo,
  echoStructArray: echo,
  echoValue: echo,
  echoBase64: echo,
  echoDate: echo,
  whichToolkit: () => ({
    toolkitDocsUrl: "docs/wire/xmlrpc.md",
    toolkitName: "@rpc/xmlrpc",
    toolkitVersion: "0.1.0",
    toolkitOperatingSystem: process.platform,
  }),
});

/** Methods without a dot in their names, as a dynamic router serves them; with a help of their own. */
const anything = z.object({ args: z.array(z.union([z.int(), z.string()])).default([]) });
const Fixture = defineContract("dynamic", {
  pow: unary({ input: anything, output: z.int() }),
  add: unary({ input: anything, output: z.union([z.int(), z.string()]), doc: "This is the add function" }),
  div: unary({ input: anything, output: z.int(), doc: "This is the div function" }),
  my_function: unary({ input: anything, output: z.boolean(), doc: "This is my function" }),
});
const Data = defineContract("Fixture", { getData: unary({ output: z.string() }) });

const numbers = (args: readonly unknown[]): readonly [number, number] => [Number(args[0]), Number(args[1])];
const fixture = mergeRouters(
  createRouter(Fixture, {
    pow: ({ args }) => numbers(args)[0] ** numbers(args)[1],
    add: ({ args: [one, other] }) =>
      typeof one === "number" && typeof other === "number" ? one + other : `${one}${other}`,
    div: ({ args }) => {
      const [dividend, divisor] = numbers(args);
      if (divisor === 0) throw new RangeError("division by zero");
      return Math.floor(dividend / divisor);
    },
    my_function: () => true,
  }),
  createRouter(Data, { getData: () => "42" }),
);

/** What the suites of others are run against: their own methods, in the dialect of each. */
export interface Suites extends AsyncDisposable {
  readonly suites: string;
  readonly fixture: string;
  /** The server itself, for its old endpoints. */
  readonly legacy: string;
}

export async function serveSuites(): Promise<Suites> {
  const endpoint = "http://127.0.0.1:0/RPC2";
  const password = (user: string, shown: string): string | undefined =>
    user === "ada" && shown === "secret" ? user : undefined;
  const listeners: readonly Listener[] = [
    await serveXmlRpc(mergeRouters(validator1, echoTests), { endpoint }),
    await serveXmlRpc(fixture, { endpoint, profile: "python" }),
    await serveXmlRpc(databases({ [DATABASE]: { models: { "res.partner": partners } } }, { legacy: true }), {
      endpoint,
      authenticate: accounts({ password }),
    }),
  ];
  const [suites = "", served = "", legacy = ""] = listeners.map((listener) => listener.endpoint);
  return {
    suites,
    fixture: served,
    legacy: new URL(legacy).origin,
    [Symbol.asyncDispose]: async () => {
      for (const listener of listeners) await listener.close();
    },
  };
}
