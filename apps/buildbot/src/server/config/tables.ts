import type { BuildRequest, Configuration, Scheduler, Step } from "../../contracts/values.ts";
import { nextAfter } from "../schedule/times.ts";
import type { Db, Tx } from "../store/open-store.ts";
import { cancelRequest } from "../store/requests.ts";
import { fromJson, IS_PENDING } from "../store/rows.ts";

type Builder = Configuration["builders"][string];

/**
 * Puts a configuration into its tables. What is not in it any more is retired, for commits and builds speak of it; pending requests of retired
 * builders end as cancelled, and are given. Running builds go on by their orders. A scheduler that is as it was keeps what it has seen.
 */
export async function writeTables(tx: Tx, configuration: Configuration, at: number): Promise<BuildRequest[]> {
  const { db } = tx;
  await db.updateTable("repositories").set({ retired: 1 }).execute();
  await db.updateTable("builders").set({ retired: 1 }).execute();
  const repositories = new Map<string, number>();
  for (const [position, [name, repository]] of Object.entries(configuration.repositories).entries()) {
    const values = {
      position,
      url: repository.url,
      branches_json: JSON.stringify(repository.branches),
      poll_seconds: repository.pollSeconds,
      webhook_secret: repository.webhookSecret ?? null,
      retired: 0,
    };
    const { id } = await db
      .insertInto("repositories")
      .values({ name, ...values })
      .onConflict((conflict) => conflict.column("name").doUpdateSet(values))
      .returning("id")
      .executeTakeFirstOrThrow();
    repositories.set(name, id);
  }
  for (const [position, [name, builder]] of Object.entries(configuration.builders).entries()) {
    const repository = repositories.get(builder.repository);
    if (repository === undefined) throw new Error(`${name} is of no repository`);
    const id = await writeBuilder(db, name, { position, repository, builder });
    await writeSteps(db, id, builder.steps);
    await writeSchedulers(db, id, builder.schedulers, at);
  }
  return retireBuilders(tx, at);
}

async function writeBuilder(
  db: Db,
  name: string,
  {
    position,
    repository,
    builder,
  }: { readonly position: number; readonly repository: number; readonly builder: Builder },
): Promise<number> {
  const values = {
    position,
    title: builder.title,
    group_name: builder.group,
    repository_id: repository,
    branch: builder.branch,
    bots_json: JSON.stringify(builder.bots),
    priority: builder.priority,
    env_json: JSON.stringify(builder.env),
    properties_json: JSON.stringify(builder.properties),
    secrets_json: JSON.stringify(builder.secrets),
    parameters_json: JSON.stringify(builder.parameters),
    keep_builds: builder.keepBuilds,
    keep_days: builder.keepDays,
    retired: 0,
  };
  const { id } = await db
    .insertInto("builders")
    .values({ name, ...values })
    .onConflict((conflict) => conflict.column("name").doUpdateSet(values))
    .returning("id")
    .executeTakeFirstOrThrow();
  return id;
}

async function writeSteps(db: Db, builder: number, steps: readonly Step[]): Promise<void> {
  await db.deleteFrom("builder_steps").where("builder_id", "=", builder).execute();
  const rows = steps.map((step, index) => ({
    builder_id: builder,
    seq: index + 1,
    name: step.name,
    step_json: JSON.stringify(step),
  }));
  await db.insertInto("builder_steps").values(rows).execute();
}

async function writeSchedulers(db: Db, builder: number, schedulers: readonly Scheduler[], at: number): Promise<void> {
  const old = await db
    .selectFrom("schedulers")
    .select(["id", "kind", "settings_json"])
    .where("builder_id", "=", builder)
    .orderBy("id")
    .execute();
  const take = (isIt: (row: (typeof old)[number]) => boolean): number | undefined => {
    const index = old.findIndex(isIt);
    return index < 0 ? undefined : old.splice(index, 1)[0]?.id;
  };
  // First those that are as they were: a changed one must not take what another has seen.
  const kept = schedulers.map((scheduler) => {
    const text = JSON.stringify(scheduler);
    return take(({ settings_json }) => settings_json === text);
  });
  for (const [position, scheduler] of schedulers.entries()) {
    const same = kept[position];
    if (same !== undefined) {
      await db.updateTable("schedulers").set({ position }).where("id", "=", same).execute();
      continue;
    }
    const values = {
      builder_id: builder,
      position,
      kind: scheduler.kind,
      settings_json: JSON.stringify(scheduler),
      upstream: scheduler.kind === "dependent" ? scheduler.upstream : null,
      next_at: nextAfter(scheduler, at),
    };
    // Commits that wait for a change scheduler go on waiting when its quiet time is another.
    const changed = take(({ kind }) => kind === scheduler.kind);
    await (changed === undefined
      ? db.insertInto("schedulers").values(values).execute()
      : db.updateTable("schedulers").set(values).where("id", "=", changed).execute());
  }
  const ids = old.map(({ id }) => id);
  if (ids.length > 0) await db.deleteFrom("schedulers").where("id", "in", ids).execute();
}

async function retireBuilders({ db }: Tx, at: number): Promise<BuildRequest[]> {
  const retired = (await db.selectFrom("builders").select("id").where("retired", "=", 1).execute()).map(({ id }) => id);
  if (retired.length === 0) return [];
  await db.deleteFrom("schedulers").where("builder_id", "in", retired).execute();
  const pending = await db
    .selectFrom("requests")
    .select("id")
    .where(IS_PENDING)
    .where("builder_id", "in", retired)
    .execute();
  const cancelled: BuildRequest[] = [];
  for (const { id } of pending) {
    const request = await cancelRequest(db, id, at, "its builder is no longer in the configuration");
    if (request !== undefined) cancelled.push(request);
  }
  return cancelled;
}

/** What the tables say. */
export async function readTables(db: Db): Promise<Configuration> {
  const repositories = await db
    .selectFrom("repositories")
    .selectAll()
    .where("retired", "=", 0)
    .orderBy("position")
    .execute();
  const builders = await db.selectFrom("builders").selectAll().where("retired", "=", 0).orderBy("position").execute();
  const steps = await db.selectFrom("builder_steps").selectAll().orderBy("builder_id").orderBy("seq").execute();
  const schedulers = await db.selectFrom("schedulers").selectAll().orderBy("builder_id").orderBy("position").execute();
  const names = new Map(repositories.map(({ id, name }) => [id, name]));
  return {
    repositories: Object.fromEntries(
      repositories.map((row) => [
        row.name,
        Object.assign(
          { url: row.url, branches: fromJson<string[]>(row.branches_json), pollSeconds: row.poll_seconds },
          row.webhook_secret === null ? {} : { webhookSecret: row.webhook_secret },
        ),
      ]),
    ),
    builders: Object.fromEntries(
      builders.map((row) => [
        row.name,
        {
          title: row.title,
          group: row.group_name,
          repository: names.get(row.repository_id) ?? "",
          branch: row.branch,
          bots: fromJson<string[]>(row.bots_json),
          priority: row.priority,
          keepBuilds: row.keep_builds,
          keepDays: row.keep_days,
          env: fromJson<Builder["env"]>(row.env_json),
          properties: fromJson<Builder["properties"]>(row.properties_json),
          secrets: fromJson<string[]>(row.secrets_json),
          parameters: fromJson<Builder["parameters"]>(row.parameters_json),
          schedulers: schedulers
            .filter(({ builder_id }) => builder_id === row.id)
            .map(({ settings_json }) => fromJson<Scheduler>(settings_json)),
          steps: steps
            .filter(({ builder_id }) => builder_id === row.id)
            .map(({ step_json }) => fromJson<Step>(step_json)),
        },
      ]),
    ),
  };
}
