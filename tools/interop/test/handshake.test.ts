import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { missingForPython } from "../../vitest/python.ts";
import { failure, IDENTITY, pythonClient, pythonServer, SECRET, serveTypeScript, startPython, until } from "../rig.ts";

const path = (name: string): string =>
  fileURLToPath(new URL(`../../../packages/tcp/test/certificates/${name}`, import.meta.url));
const read = (name: string): Buffer => readFileSync(path(name));
const tls = { cert: read("server.pem"), key: read("server.key") };
const authority = path("authority.pem");
const certificate = { certificate: path("server.pem"), key: path("server.key") };

it("finds Python and protobuf", () => {
  expect(missingForPython).toBeUndefined();
});

it("lets Python prove its secret to TypeScript, and learns who it is", async () => {
  const { python, peer } = await pythonClient();
  expect(peer.identity).toBe(IDENTITY);
  expect(await python.ask("call", { method: "add", input: { a: 1, b: 2 } })).toBe(3);
  expect((await python.status()).features).toEqual(["ack", "resume"]);
});

it("lets TypeScript prove its secret to Python", async () => {
  const { demo, python } = await pythonServer();
  expect(await demo.add({ a: 1, b: 2 })).toBe(3);
  expect((await python.status()).features).toEqual(["ack", "resume"]);
});

it.for([
  ["another secret", { principal: IDENTITY, secret: "another secret than that" }],
  ["an unknown principal", { principal: "nobody", secret: SECRET }],
  ["no proof", {}],
] as const)("refuses a Python client with %s", async ([, credentials]) => {
  const { port, refused } = await serveTypeScript();
  const python = startPython();
  const error = await failure(python.ask("dial", { port, ...credentials }));
  expect(error).toMatchObject({ code: "UNAUTHENTICATED", reason: "UNAUTHENTICATED" });
  await until(() => refused.length === 1);
  expect(refused[0]).toMatchObject({ code: "UNAUTHENTICATED" });
});

it.for([
  ["another secret", { secret: "another secret than that" }],
  ["an unknown identity", { identity: "nobody" }],
  ["no proof", { proofs: false }],
] as const)("is refused by a Python server with %s", async ([, credentials]) => {
  const { demo, python } = await pythonServer(credentials);
  expect(await failure(demo.add({ a: 1, b: 2 }))).toMatchObject({ code: "UNAUTHENTICATED", delivered: "no" });
  expect(await python.ask("refused")).toEqual(["UNAUTHENTICATED"]);
});

it("finds the key of somebody without a name", async () => {
  const { peer } = await pythonClient({}, { principal: "" });
  expect(peer.identity).toBe(IDENTITY);
  const { demo } = await pythonServer({ proofs: false, secret: SECRET });
  expect(await demo.add({ a: 1, b: 2 })).toBe(3);
});

it("needs no proof where none is asked for", async () => {
  const { python } = await pythonClient({ proofs: false }, { secret: null, principal: "" });
  expect(await python.ask("call", { method: "add", input: { a: 1, b: 2 } })).toBe(3);
  const { demo } = await pythonServer({ proofs: false }, { secrets: {} });
  expect(await demo.add({ a: 1, b: 2 })).toBe(3);
});

it("proves secrets inside TLS, without a binding", async () => {
  const { python } = await pythonClient({ endpoint: "tcps://127.0.0.1:0", tls }, { authority });
  expect(await python.ask("call", { method: "add", input: { a: 1, b: 2 } })).toBe(3);
  const ca = read("authority.pem");
  const { demo } = await pythonServer({ tls: { ca, servername: "localhost" } }, certificate, "tcps");
  expect(await demo.add({ a: 1, b: 2 })).toBe(3);
});

it("refuses TLS without a binding where one end insists on it", async () => {
  const { port, refused } = await serveTypeScript({ endpoint: "tcps://127.0.0.1:0", tls, channelBinding: "require" });
  const python = startPython();
  const dialed = python.ask("dial", { port, authority, principal: IDENTITY, secret: SECRET });
  expect(await failure(dialed)).toMatchObject({ code: "UNAUTHENTICATED" });
  await until(() => refused.length === 1);
  const ca = read("authority.pem");
  const insisting = { tls: { ca, servername: "localhost" }, channelBinding: "require" } as const;
  const { demo, python: server } = await pythonServer(insisting, certificate, "tcps");
  expect(await failure(demo.add({ a: 1, b: 2 }))).toMatchObject({ code: "UNAUTHENTICATED", delivered: "no" });
  await until(async () => (await server.ask<string[]>("refused")).length === 1);
});
