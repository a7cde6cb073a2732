import { RpcError } from "@rpc/core";
import type { BuildOrder } from "../../contracts/bot.ts";
import type { BuildRequest, BuildSummary, Properties, Step } from "../../contracts/values.ts";
import type { Kind } from "./dialect.ts";
import type { Tx } from "./open-store.ts";
import { fits } from "./patterns.ts";
import { getBuildSummary } from "./reading-builds.ts";
import { getRequest } from "./requests.ts";
import { fromJson, IS_PENDING, IS_RUNNING, present } from "./rows.ts";

export interface ClaimOptions {
  /** The bot's id. */
  readonly bot: number;
  readonly incarnation: string;
  readonly max: number;
  readonly at: number;
}

/** One message holds 4 MiB, and text may take half as much again on its way. */
const MOST_ORDER_BYTES = 2 * 1024 * 1024;

export interface Claim {
  /** Those that were claimed before and never began, then new ones; what is too much for one answer is given at the next claim. */
  readonly orders: BuildOrder[];
  /** What is new of them: these builds and requests have changed. */
  readonly builds: BuildSummary[];
  readonly requests: BuildRequest[];
}

/**
 * Gives pending requests to a bot: the highest priority first, then the oldest, of those builders whose patterns the bot's name fits, and no
 * more than it may have at the same time. None while it is paused. Call in a transaction.
 *
 * FAILED_PRECONDITION, reason `FENCED`: another incarnation of the bot has said hello. NOT_FOUND: there is no such bot.
 */
export async function claimRequests(kind: Kind, { db }: Tx, options: ClaimOptions): Promise<Claim> {
  const { bot: botId, incarnation, at } = options;
  // Two claims of one bot come one after the other, and none while another incarnation is saying hello.
  let find = db.selectFrom("bots").selectAll().where("id", "=", botId);
  if (kind === "postgres") find = find.forUpdate();
  const bot = await find.executeTakeFirst();
  if (bot === undefined) throw new RpcError("NOT_FOUND", `there is no bot ${botId} (any more)`);
  if (bot.incarnation !== incarnation) {
    throw new RpcError(
      "FAILED_PRECONDITION",
      `${bot.name} has been replaced by ${bot.incarnation ?? "nobody yet"}: say hello before a claim`,
      { reason: "FENCED" },
    );
  }
  const running = await db
    .selectFrom("builds")
    .select(["id", "began", "order_json"])
    .where("bot", "=", bot.name)
    .where(IS_RUNNING)
    .orderBy("id")
    .execute();
  const again = running.filter(({ began }) => began === 0).map(({ order_json }) => fromJson<BuildOrder>(order_json));
  const most = Math.min(options.max - again.length, bot.max_builds - running.length);
  const orders: BuildOrder[] = [];
  if (most > 0 && bot.paused === 0) {
    const wanted = await pendingFor(kind, { db }, bot.name, most);
    for (const request of wanted) orders.push(await give({ db }, request, { bot: bot.name, incarnation, at }));
  }
  // As they were asked for, not as they were written: the builders are locked in the order of their ids.
  for (const list of [again, orders]) {
    list.sort((one, other) => other.request.priority - one.request.priority || one.request.id - other.request.id);
  }
  const builds = await Promise.all(orders.map(({ build }) => getBuildSummary(db, build)));
  const requests = await Promise.all(orders.map(({ request }) => getRequest(db, request.id)));
  return {
    orders: atOnce([...again.slice(0, options.max), ...orders]),
    builds: builds.filter((build) => build !== undefined),
    requests: requests.filter((request) => request !== undefined),
  };
}

/** One at least. */
function atOnce(orders: readonly BuildOrder[]): BuildOrder[] {
  let bytes = 0;
  const first = orders.findIndex((order, at) => {
    bytes += Buffer.byteLength(JSON.stringify(order));
    return at > 0 && bytes > MOST_ORDER_BYTES;
  });
  return first < 0 ? [...orders] : orders.slice(0, first);
}

interface Wanted {
  readonly id: number;
  readonly builder_id: number;
}

async function pendingFor(kind: Kind, { db }: Pick<Tx, "db">, bot: string, most: number): Promise<Wanted[]> {
  const builders = await db.selectFrom("builders").select(["id", "bots_json"]).execute();
  const mine = builders.filter(({ bots_json }) => fits(fromJson<string[]>(bots_json), bot)).map(({ id }) => id);
  if (mine.length === 0) return [];
  let query = db
    .selectFrom("requests")
    .select(["id", "builder_id"])
    .where(IS_PENDING)
    .orderBy("priority", "desc")
    .orderBy("id")
    .limit(most);
  // Most bots may build all: then the index alone answers.
  if (mine.length < builders.length) query = query.where("builder_id", "in", mine);
  if (kind === "postgres") query = query.forUpdate().skipLocked();
  const wanted = await query.execute();
  // Each locks its builder for the build's number: in one order, or two bots could wait for each other.
  return wanted.toSorted((one, other) => one.builder_id - other.builder_id || one.id - other.id);
}

async function give(
  { db }: Pick<Tx, "db">,
  wanted: Wanted,
  { bot, incarnation, at }: { readonly bot: string; readonly incarnation: string; readonly at: number },
): Promise<BuildOrder> {
  const { last_number: number } = await db
    .updateTable("builders")
    .set((eb) => ({ last_number: eb("last_number", "+", 1) }))
    .where("id", "=", wanted.builder_id)
    .returning("last_number")
    .executeTakeFirstOrThrow();
  const builder = await db
    .selectFrom("builders")
    .innerJoin("repositories", "repositories.id", "builders.repository_id")
    .select(["builders.properties_json", "builders.env_json", "builders.secrets_json", "repositories.url"])
    .where("builders.id", "=", wanted.builder_id)
    .executeTakeFirstOrThrow();
  const steps = await db
    .selectFrom("builder_steps")
    .select(["seq", "name", "step_json"])
    .where("builder_id", "=", wanted.builder_id)
    .orderBy("seq")
    .execute();
  const request = await getRequest(db, wanted.id);
  if (request === undefined) throw new Error(`request ${wanted.id} has gone`);
  const properties = { ...fromJson<Properties>(builder.properties_json), ...request.properties };
  const { id: build } = await db
    .insertInto("builds")
    .values({
      request_id: wanted.id,
      builder_id: wanted.builder_id,
      number,
      bot,
      incarnation,
      branch: request.branch,
      revision: request.revision ?? "",
      subject: "",
      author: "",
      reason: request.reason,
      state: "running",
      summary: "",
      started_at: at,
      properties_json: JSON.stringify(properties),
      order_json: "",
    })
    .returning("id")
    .executeTakeFirstOrThrow();
  await db
    .updateTable("requests")
    .set({ state: "claimed", claimed_by: bot, build_id: build })
    .where("id", "=", wanted.id)
    .execute();
  const order: BuildOrder = {
    build,
    number,
    request: { ...request, state: "claimed", claimedBy: bot, buildId: build },
    repositoryUrl: builder.url,
    branch: request.branch,
    properties,
    env: fromJson<Record<string, string | null>>(builder.env_json),
    secrets: fromJson<string[]>(builder.secrets_json),
    steps: steps.map(({ step_json }) => fromJson<Step>(step_json)),
    ...present({ revision: request.revision }),
  };
  await db
    .updateTable("builds")
    .set({ order_json: JSON.stringify(order) })
    .where("id", "=", build)
    .execute();
  const rows = [{ seq: 0, name: "checkout" }, ...steps.map(({ seq, name }) => ({ seq, name }))];
  await db
    .insertInto("build_steps")
    .values(
      rows.map(({ seq, name }) => ({
        build_id: build,
        seq,
        name,
        state: "waiting" as const,
        summary: "",
        log_bytes: 0,
        log_lines: 0,
      })),
    )
    .execute();
  return order;
}
