import { createRouter, createClient, defineContract, unary } from "@rpc/core";
import { createXmlRpcTransport, serveXmlRpc } from "@rpc/xmlrpc";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { heard, hearingAllTexts, sayable, sayingAllTexts } from "../src/contracts/xml-text.ts";

const COLOURED = "\u001B[31mred\u001B[0m \u0000\uFFFF ü日本\u{1F600}\r\n";

test("what XML can say is not touched", () => {
  const value = { a: ["x", 1, null, true, { b: "\t\r\n ü" }], c: new Uint8Array([1]), d: new Date(0) };
  expect(sayable(value)).toBe(value);
  expect(heard(value)).toBe(value);
});

test("what it cannot is said as bytes, and heard as it was", () => {
  const value = { text: COLOURED, list: [COLOURED, "plain"], record: { deep: [{ text: COLOURED }] } };
  expect(JSON.stringify(sayable(value))).not.toContain("\\u001b");
  expect(heard(sayable(value))).toEqual(value);
  expect(heard({ $utf8: "no bytes" })).toEqual({ $utf8: "no bytes" });
  expect(heard({ $utf8: new Uint8Array([65]), more: 1 })).toEqual({ $utf8: new Uint8Array([65]), more: 1 });
});

test("whatever is said is heard, over the wire and both ways", async () => {
  const Echo = defineContract("test.Echo", {
    say: unary({
      input: z.object({ text: z.string(), deep: z.array(z.object({ text: z.string() })), at: z.int() }),
      output: z.object({ text: z.string(), deep: z.array(z.object({ text: z.string() })), at: z.int() }),
    }),
  });
  const listener = await serveXmlRpc(hearingAllTexts(createRouter(Echo, { say: (input) => input })));
  const transport = sayingAllTexts(createXmlRpcTransport(listener.endpoint));
  const echo = createClient(Echo, transport);
  const text = fc.string({ unit: "binary" }).map((any) => any.toWellFormed());
  const said = fc.record({ text, deep: fc.array(fc.record({ text }), { maxLength: 3 }), at: fc.maxSafeInteger() });
  await fc.assert(
    fc.asyncProperty(said, async (input) => {
      expect(await echo.say(input)).toEqual(input);
    }),
    { numRuns: 100 },
  );
  await transport.close();
  await listener.close();
});
