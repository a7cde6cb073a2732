// Bots that are killed at random while they build: whether each request was built once, and none was lost.
import type { BuildSummary } from "../src/contracts/values.ts";
import { type House, type Program, until } from "./e2e-rig.ts";

export interface CrowdOptions {
  readonly requests: number;
  readonly bots: number;
  /** SIGKILLs of bots, spread over the builds; each is started anew at once. Fewer when all have been killed and none is back yet. */
  readonly botKills: number;
  /** SIGKILLs of the server. */
  readonly serverKills: number;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly waitMs?: number;
}

export interface CrowdReport {
  readonly requests: number;
  /** All, with those that were put back. */
  readonly builds: number;
  readonly retries: number;
  readonly botKills: number;
  readonly serverKills: number;
  readonly seconds: number;
  /** What must hold and does not. */
  readonly violations: readonly string[];
}

const BUILDER = "crowd";

export const CROWD_BUILDER: object = {
  bots: ["crowd-*"],
  steps: [{ name: "work", command: "cat hello.txt; sleep 0.$(od -An -N1 -tu1 /dev/urandom | tr -d ' ')" }],
};

/** The house has the builder `crowd`, as `CROWD_BUILDER` says. */
export async function runCrowd(house: House, options: CrowdOptions): Promise<CrowdReport> {
  const { requests, bots, random, waitMs } = options;
  const since = performance.now();
  const names = Array.from({ length: bots }, (_, index) => `crowd-${index}`);
  const programs = new Map<string, Program>();
  const { bots: people, builds } = house.people;
  // By all the ways that there are.
  const ways = [[house.tcpUrl], [house.pageUrl], [house.tcpUrl, house.pageUrl], [house.pageUrl.replace("http", "ws")]];
  const start = async (name: string): Promise<void> => {
    programs.set(name, await house.startBot(name, 1, ...(ways[names.indexOf(name) % ways.length] ?? [])));
  };
  await Promise.all(names.map(start));
  // Nobody begins before all is there: the harm comes while there is much to be done.
  for (const bot of names) await people.command({ bot, method: "pause" });
  const ids: number[] = [];
  for (let index = 0; index < requests; index += 1) ids.push((await house.force(BUILDER)).id);
  for (const bot of names) await people.command({ bot, method: "resume" });

  const harm = [
    ...Array.from({ length: options.botKills }, () => "bot" as const),
    ...Array.from({ length: options.serverKills }, () => "server" as const),
  ]
    // After so many requests; none when nearly all is over.
    .map((who) => ({ who, after: Math.floor(random() * requests * 0.9) }))
    .toSorted((one, other) => one.after - other.after);
  const open = new Set(ids);
  const done = { botKills: 0, serverKills: 0 };
  const starting = new Map<string, Promise<void>>();
  const problems: string[] = [];
  const killBot = async (name: string): Promise<void> => {
    await programs.get(name)?.end("SIGKILL");
    await start(name);
  };
  /** The others build meanwhile. */
  const harmOne = async (who: "bot" | "server"): Promise<void> => {
    if (who === "server") {
      await house.stopServer("SIGKILL");
      await house.startServer();
      done.serverKills += 1;
      return;
    }
    const there = names.filter((name) => !starting.has(name));
    const name = there[Math.floor(random() * there.length)];
    if (name === undefined) return;
    done.botKills += 1;
    starting.set(
      name,
      killBot(name)
        .catch((error: unknown) => void problems.push(`${name} did not come back: ${String(error)}`))
        .finally(() => starting.delete(name)),
    );
  };
  const look = async (): Promise<void> => {
    for (const id of open) {
      // In the order in which they are built: those behind the first few that wait have not been begun.
      const { state } = await builds.request({ id });
      if (state === "complete") open.delete(id);
      else if (state === "pending") return;
    }
  };
  await until(
    async () => {
      await look();
      const next = harm[0];
      if (next !== undefined && requests - open.size >= next.after) {
        harm.shift();
        await harmOne(next.who);
      }
      return open.size === 0;
    },
    () => `${open.size} of ${requests} requests are open: ${[...open].slice(0, 10).join(", ")}`,
    waitMs,
  );
  await Promise.all(starting.values());
  const all = await allBuilds(house);
  return {
    requests,
    builds: all.length,
    retries: all.filter(({ results }) => results === "retry").length,
    ...done,
    seconds: Math.round((performance.now() - since) / 100) / 10,
    violations: [...problems, ...(await judge(house, ids, all))],
  };
}

async function judge(house: House, ids: readonly number[], all: readonly BuildSummary[]): Promise<string[]> {
  const violations: string[] = [];
  const byRequest = Map.groupBy(all, ({ requestId }) => requestId);
  for (const id of ids) {
    const { state, results, buildId } = await house.people.builds.request({ id });
    const built = byRequest.get(id) ?? [];
    const counted = built.filter((build) => build.results !== "retry");
    if (state !== "complete" || results !== "success") violations.push(`request ${id} is ${state}, ${results}`);
    if (counted.length !== 1) violations.push(`request ${id} was built ${counted.length} times`);
    if (counted[0]?.id !== buildId) violations.push(`request ${id} counts build ${buildId}, not ${counted[0]?.id}`);
  }
  for (const { id, state, requestId } of all) {
    if (state !== "finished") violations.push(`build ${id} is ${state}`);
    if (!ids.includes(requestId)) violations.push(`build ${id} is of request ${requestId}, which nobody made`);
  }
  const numbers = all.map(({ number }) => number).toSorted((one, other) => one - other);
  if (numbers.some((number, index) => number !== index + 1))
    violations.push("the builds' numbers have gaps or doubles");
  return violations;
}

async function allBuilds(house: House): Promise<BuildSummary[]> {
  const all: BuildSummary[] = [];
  for (;;) {
    const before = all.at(-1)?.id;
    const page = await house.people.builds.list({
      builder: BUILDER,
      limit: 500,
      ...(before !== undefined && { before }),
    });
    all.push(...page);
    if (page.length < 500) return all;
  }
}
