import { createRouter, defineContract, type Handler, unary } from "@rpc/core";
import { databaseCall, MissingError, Records, ValidationError } from "@rpc/xmlrpc";
import { sql } from "kysely";
import { z } from "zod";
import { NewProperties, Ref } from "../../contracts/values.ts";
import { nameOf } from "../auth/index.ts";
import { type PageParts, wishFor } from "../page/index.ts";
import type { Db } from "../store/index.ts";
import { conditionOf } from "./domain.ts";
import { fieldOf, type Model, orderOf, rowsOf, shown, told } from "./model.ts";
import { buildRequests, READ_ONLY } from "./tables.ts";

const MOST_RECORDS = 1000;

const Domain = z.array(z.unknown()).default([]);
const Fields = z.array(z.string()).max(100).default([]);
const Offset = z.int().min(0).max(1_000_000_000).default(0);
const Limit = z.union([z.int().min(0).max(MOST_RECORDS), z.literal(false)]).default(80);
const Order = z.string().max(200).default("");

const reading = {
  search: unary({ input: z.object({ domain: Domain, offset: Offset, limit: Limit, order: Order }), idempotent: true }),
  read: unary({ input: z.object({ fields: Fields }), idempotent: true }),
  search_read: unary({
    input: z.object({ domain: Domain, fields: Fields, offset: Offset, limit: Limit, order: Order }),
    idempotent: true,
  }),
  search_count: unary({ input: z.object({ domain: Domain }), output: z.int(), idempotent: true }),
};

const NewRequest = z.strictObject({
  builder: z.string(),
  branch: Ref.optional(),
  revision: Ref.optional(),
  reason: z.string().max(500).default("over XML-RPC"),
  priority: z.int().min(-100).max(100).optional(),
  properties: NewProperties.default({}),
});

const creating = { create: unary({ input: z.object({ values: z.record(z.string(), z.unknown()) }), output: z.int() }) };

/** For `databases()`: what scripts know of an OpenERP build bot, over the tables of this one. */
export function modelHandlers(parts: Pick<PageParts, "store" | "commands" | "bus">): Record<string, Handler> {
  const { db } = parts.store;
  const Requests = defineContract(buildRequests.name, { ...reading, ...creating });
  const requests = createRouter(Requests, {
    ...readers(db, buildRequests),
    create: async ({ values }, { peer }) => {
      const parsed = NewRequest.safeParse(values);
      if (!parsed.success) throw new ValidationError(z.prettifyError(parsed.error));
      const { reason, ...wish } = parsed.data;
      const request = await wishFor(parts, { ...wish, reason, by: nameOf(peer) });
      if (request === undefined) throw new ValidationError(`there is no builder ${shown(wish.builder)}`);
      return request.id;
    },
  });
  const others = READ_ONLY.map((model): [string, Handler] => [
    model.name,
    createRouter(defineContract(model.name, reading), readers(db, model)),
  ]);
  return { [buildRequests.name]: requests, ...Object.fromEntries(others) };
}

interface Search {
  readonly domain: readonly unknown[];
  readonly offset: number;
  readonly limit: number | false;
  readonly order: string;
}

function readers(db: Db, model: Model) {
  const search = async ({ domain, offset, limit, order }: Search): Promise<number[]> => {
    let query = rowsOf(db, model)
      .select(sql<number>`m.id`.as("id"))
      .where(conditionOf(model, domain));
    for (const { name, direction } of orderOf(model, order)) query = query.orderBy(sql.ref(`m.${name}`), direction);
    const rows = await query
      .orderBy(sql.ref("m.id"))
      .limit(limit === false ? MOST_RECORDS : limit)
      .offset(offset)
      .execute();
    return rows.map(({ id }) => id);
  };
  /** In the order of the ids. MissingError. */
  const read = async (ids: readonly number[], wanted: readonly string[]): Promise<Record<string, unknown>[]> => {
    const names = wanted.length === 0 ? Object.keys(model.fields) : ["id", ...wanted.filter((name) => name !== "id")];
    const fields = [...new Set(names)].map((name) => fieldOf(model, name));
    if (ids.length > MOST_RECORDS) throw new ValidationError(`read at most ${MOST_RECORDS} records at once`);
    if (ids.length === 0) return [];
    const rows = await rowsOf(db, model)
      .select(fields.map(({ name }) => sql.ref(`m.${name}`).as(name)))
      .where(sql<boolean>`m.id in (${sql.join(ids)})`)
      .execute();
    const byId = new Map(rows.map((row) => [Number(row["id"]), row]));
    return ids.map((id) => {
      const row = byId.get(id);
      if (row === undefined) throw new MissingError(`${model.name} has no record ${id}`);
      return Object.fromEntries(fields.map(({ name, kind }) => [name, told(kind, row[name])]));
    });
  };
  return {
    search: async (input: Search) => new Records(model.name, await search(input)),
    read: ({ fields }: { fields: readonly string[] }, context: Parameters<typeof databaseCall>[0]) =>
      read(databaseCall(context).records.map(idOf), fields),
    search_read: async ({ fields, ...input }: Search & { fields: readonly string[] }) =>
      read(await search(input), fields),
    search_count: async ({ domain }: Pick<Search, "domain">) => {
      const query = rowsOf(db, model)
        .select(sql<number>`count(*)`.as("count"))
        .where(conditionOf(model, domain));
      return (await query.executeTakeFirstOrThrow()).count;
    },
  };
}

function idOf(record: unknown): number {
  const id = typeof record === "bigint" ? Number(record) : record;
  if (typeof id === "number" && Number.isSafeInteger(id) && id > 0) return id;
  throw new ValidationError(`${shown(record)} is no id of a record`);
}
