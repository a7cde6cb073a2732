import { createRouter, defineContract, dynamicRouter, type Handler, notification, unary } from "@rpc/core";
import { z } from "zod";
import { databaseCall, type DatabaseCall } from "../src/databases/database-call.ts";
import { UserError } from "../src/exceptions.ts";
import { Records } from "../src/values.ts";

const Domain = z.array(z.unknown());

/** The contract's name is not the model's. */
export const Partners = defineContract("demo.Partners", {
  search: unary({ input: z.object({ domain: Domain, limit: z.number().int().optional() }), doc: "Finds partners" }),
  read: unary({ input: z.object({ fields: z.array(z.string()).optional() }), output: z.array(z.unknown()) }),
  write: unary({ input: z.object({ values: z.record(z.string(), z.unknown()) }), output: z.boolean() }),
  fail: unary({ input: z.object({ message: z.string() }), errors: { MissingError: z.object({ id: z.number() }) } }),
  about: unary({ input: z.object({}).optional() }),
  touch: notification({ input: z.object({}).optional() }),
});

export interface PartnerBench {
  readonly partners: Handler;
  /** What each call was about, in order. */
  readonly calls: DatabaseCall[];
  readonly names: Map<number, string>;
}

/** A model in memory: two partners. */
export function partnerBench(): PartnerBench {
  const calls: DatabaseCall[] = [];
  const names = new Map([
    [1, "Ada"],
    [2, "Grace"],
  ]);
  const partners = createRouter(Partners, {
    search: ({ limit = 10 }, context) => {
      calls.push(databaseCall(context));
      return new Records("res.partner", [...names.keys()].slice(0, limit));
    },
    read: ({ fields = ["name"] }, context) => {
      const call = databaseCall(context);
      calls.push(call);
      return call.records.map((id) => (fields.includes("name") ? { id, name: names.get(Number(id)) ?? "" } : { id }));
    },
    write: ({ values }, context) => {
      const call = databaseCall(context);
      calls.push(call);
      for (const id of call.records) names.set(Number(id), String(values["name"]));
      return true;
    },
    fail: ({ message }) => {
      throw message === "plain" ? new TypeError("handler broke") : new UserError(message);
    },
    about: (_input, context) => {
      const { database, model, records, context: values, identity, subject } = databaseCall(context);
      const { deadline, idempotencyKey } = context;
      return {
        database,
        model,
        records,
        context: { ...values },
        identity,
        subject: { ...subject },
        deadline,
        idempotencyKey,
        trace: context.metadata.get("traceparent"),
      };
    },
    touch: (_input, context) => {
      calls.push(databaseCall(context));
    },
  });
  return { partners, calls, names };
}

/** Functions by name, without a contract. */
export function looseModel(): Handler {
  const router = dynamicRouter();
  router.register({
    add: (a: number, b: number) => a + b,
    named: (options: unknown) => options,
  });
  return router;
}
