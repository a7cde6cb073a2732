// A script of ten lines in Python reads partners from our server, and we read them from a server in Python. Nothing but CPython's own modules there.
import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { createRouter, defineContract, RpcError, unary } from "@rpc/core";
import { databaseCall, databases, MissingError, serveXmlRpc, xmlRpcProxy } from "@rpc/xmlrpc";
import { z } from "zod";

const python = "python3";
if (spawnSync(python, ["--version"]).status !== 0) {
  console.error("skipped: there is no python3 on the path");
  process.exit(77);
}
const script = (name: string): string => join(import.meta.dirname, name);

const Partner = defineContract("res.partner", {
  search: unary({
    input: z.object({ domain: z.array(z.tuple([z.string(), z.string(), z.unknown()])) }),
    output: z.array(z.int()),
  }),
  read: unary({ input: z.object({ fields: z.array(z.string()) }), output: z.array(z.record(z.string(), z.unknown())) }),
});
const rows: readonly Readonly<Record<string, unknown>>[] = [
  { id: 1, name: "Azure", city: "Bruges", is_company: true },
  { id: 2, name: "Ada", city: "London", is_company: false },
  { id: 3, name: "Gemini", city: "Ghent", is_company: true },
];
const partners = createRouter(Partner, {
  search: ({ domain }) =>
    rows.filter((row) => domain.every(([field, , value]) => row[field] === value)).map((row) => Number(row["id"])),
  read: ({ fields }, ctx) =>
    // The records of a call stand beside its input, as in every call at a database.
    databaseCall(ctx).records.map((id) => {
      const row = rows.find((candidate) => candidate["id"] === id);
      if (row === undefined) throw new MissingError(`no partner ${String(id)}`);
      return Object.fromEntries(fields.map((field) => [field, row[field]]));
    }),
});

const listener = await serveXmlRpc(databases({ demo: { models: { "res.partner": partners } } }), {
  authenticate: ({ user, secret }) => (user === "ada" && secret === "secret" ? user : undefined),
  onWarning: () => undefined,
});
const url = new URL(`${listener.endpoint}/demo`);
url.username = "ada";
url.password = "secret";
console.log("Python reads from TypeScript:");
process.stdout.write((await promisify(execFile)(python, [script("read_partners.py"), url.href])).stdout);
await listener.close();

const child = spawn(python, [script("serve_partners.py")], { stdio: ["pipe", "pipe", "inherit"] });
const [endpoint] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
console.log("TypeScript reads from Python:");
await using server = xmlRpcProxy(endpoint);
const companies = await server.$call("partner.search", true);
const read = z.array(z.object({ name: z.string(), city: z.string() }));
for (const partner of read.parse(await server.$call("partner.read", companies, ["name", "city"]))) {
  console.log(partner.name, "in", partner.city);
}
try {
  await server.$call("partner.read", [99], ["name"]);
} catch (error) {
  if (error instanceof RpcError) console.log(error.code, error.message);
}
child.stdin.end();
