import { createRouter, defineContract, type Listener, unary } from "@rpc/core";
import { databaseCall, databases, FaultError, serveXmlRpc } from "@rpc/xmlrpc";
import { z } from "zod";
import { nothingSeen, relayTo, type Seen } from "./relay.ts";
import { difference, VALUES } from "./values.ts";

export const USER = "ada@example.org";
export const PASSWORD = "pass: wörd/?";
export const DATABASE = "demo";
const MOST_BYTES = 32 * 1024 * 1024;

const int32 = z.int32();

const Matrix = defineContract("matrix", {
  tell: unary({
    input: z.object({ name: z.string(), value: z.unknown() }),
    output: z.string(),
    doc: "Compares a value with what it should be.",
  }),
  give: unary({ input: z.object({ name: z.string() }), output: z.unknown(), doc: "Gives a value." }),
  add: unary({ input: z.object({ a: int32, b: int32 }), output: int32, doc: "Adds two integers." }),
  fail: unary({ input: z.object({ code: int32, text: z.string() }), doc: "Fails with a code of the caller's own." }),
  wire: unary({ output: z.object({ connections: int32, gzipRequests: int32, gzipReplies: int32 }) }),
});

const Partner = defineContract("res.partner", {
  search: unary({ input: z.object({ domain: z.array(z.unknown()) }), output: z.array(int32) }),
  read: unary({
    input: z.object({ fields: z.array(z.string()) }),
    output: z.array(z.record(z.string(), z.unknown())),
  }),
});

interface Row {
  readonly id: number;
  readonly name: string;
  readonly is_company: boolean;
}
const ROWS: readonly Row[] = [
  { id: 1, name: "Azure", is_company: true },
  { id: 2, name: "Ada", is_company: false },
  { id: 3, name: "Gemini", is_company: true },
];

export const partners = createRouter(Partner, {
  search: ({ domain }) => {
    const asked = JSON.stringify(domain);
    if (asked === "[]") return ROWS.map(({ id }) => id);
    if (asked !== '[["is_company","=",true]]') throw new FaultError(-32602, `a domain of this demo, not ${asked}`);
    return ROWS.filter((row) => row.is_company).map(({ id }) => id);
  },
  read: ({ fields }, ctx) => {
    const { records, context } = databaseCall(ctx);
    return records.map((id) => {
      const row = ROWS.find((candidate) => candidate.id === id);
      if (row === undefined) throw new FaultError(-32103, `MissingError: no partner ${String(id)}`);
      const named = row.is_company && context["lang"] === "de_DE" ? { ...row, name: `${row.name} GmbH` } : row;
      return Object.fromEntries(Object.entries(named).filter(([field]) => field === "id" || fields.includes(field)));
    });
  },
});

function matrixOf(seen: Seen) {
  return createRouter(Matrix, {
    tell: ({ name, value }) => difference(name, value),
    give: ({ name }) => {
      if (!VALUES.has(name)) throw new FaultError(-32602, `no value is called ${name}`);
      return VALUES.get(name);
    },
    add: ({ a, b }) => a + b,
    fail: ({ code, text }) => {
      throw new FaultError(code, text);
    },
    wire: () => ({ ...seen }),
  });
}

/** Our server for foreign clients, once open and once with databases, each behind a relay. */
export interface Served extends AsyncDisposable {
  readonly open: string;
  readonly database: string;
}

export async function serveForClients(): Promise<Served> {
  const seen = nothingSeen();
  // Ten megabytes of text are more than is taken unless one says so.
  const limits = {
    maxMessageBytes: MOST_BYTES,
    maxInflatedBytes: MOST_BYTES,
    document: { limits: { maxTextLength: MOST_BYTES } },
  };
  const endpoint = "http://127.0.0.1:0/RPC2";
  const open: Listener = await serveXmlRpc(matrixOf(seen), { endpoint, ...limits });
  const closed: Listener = await serveXmlRpc(databases({ [DATABASE]: { models: { "res.partner": partners } } }), {
    endpoint,
    authenticate: ({ user, secret }) => (user === USER && secret === PASSWORD ? user : undefined),
  });
  const relay = await relayTo(open.endpoint, seen);
  return {
    open: relay.url,
    database: `${closed.endpoint}/${DATABASE}`,
    [Symbol.asyncDispose]: async () => {
      await relay[Symbol.asyncDispose]();
      await open.close();
      await closed.close();
    },
  };
}
