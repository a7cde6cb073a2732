import { type ImplementationOf, RpcError } from "@rpc/core";
import type { Bots } from "../../contracts/page.ts";
import type { BotSummary } from "../../contracts/values.ts";
import { isAtLeast, nameOf } from "../auth/index.ts";
import { tellChanged } from "../desk/index.ts";
import { type BotRow, createBot, findBot, listBots, listRunning, loseBuilds, removeBot } from "../store/index.ts";
import type { PageParts } from "./page-parts.ts";

export function bots(parts: PageParts): ImplementationOf<typeof Bots> {
  const { store, auth, bus, commands, logs } = parts;
  return {
    list: () => botSummaries(parts),
    create: async ({ name, maxBuilds }) => {
      const { salt, token } = auth.newBot(name);
      await store.transaction(async (tx) => {
        const bot = await createBot(tx.db, { name, secret: salt, maxBuilds, at: store.wallClock() });
        await commands.addBot(tx, bot);
      });
      bus.emit("botChanged", name);
      const [bot] = await botSummaries(parts, name);
      if (bot === undefined) throw new RpcError("ABORTED", `bot ${name} was removed at once by somebody else`);
      return { bot, token };
    },
    remove: async ({ name }) => {
      const lost = await store.transaction(async (tx) => {
        const bot = await findBot(tx.db, name);
        if (bot === undefined) throw new RpcError("NOT_FOUND", `there is no bot ${name}`);
        const at = store.wallClock();
        const changed = await loseBuilds(store.kind, tx, { bot: name, why: `the bot ${name} was removed`, at });
        await commands.removeBot(tx, bot);
        await removeBot(tx.db, name);
        await commands.tellOfRequests(tx, changed.requests, { by: "server", isPutBack: true });
        return changed;
      });
      tellChanged(bus, lost);
      bus.emit("callerGone", name);
      bus.emit("botChanged", name);
      for (const { id } of lost.builds) await logs.endAll(id);
      return {};
    },
    command: async ({ bot, method, graceful }, { peer }) => {
      const caller = await auth.callerOf(peer.identity);
      if (method === "shutdown" && (caller === undefined || !isAtLeast(caller.role, "admin"))) {
        throw new RpcError("PERMISSION_DENIED", "only admins shut bots down", { reason: "FORBIDDEN" });
      }
      return commands.press({ bot, method, graceful, by: nameOf(peer) });
    },
    commands: (filter) => commands.list(filter),
    cancelCommand: ({ id }, { peer }) => commands.cancel(id, nameOf(peer)),
  };
}

/** All of them, or the one of that name. */
export async function botSummaries(
  { store, commands }: Pick<PageParts, "store" | "commands">,
  name?: string,
): Promise<BotSummary[]> {
  const rows = (await listBots(store.db)).filter((bot) => name === undefined || bot.name === name);
  if (rows.length === 0) return [];
  const present = await commands.present();
  const running = Map.groupBy(await listRunning(store.db, name), ({ bot }) => bot);
  const at = store.wallClock();
  return rows.map((row) =>
    Object.assign(summaryOf(row), lastSeenOf(row, present.get(row.name), at), {
      present: present.has(row.name),
      running: running.get(row.name) ?? [],
    }),
  );
}

function summaryOf({ id, name, paused, maxBuilds, about, incarnation }: BotRow) {
  return { id, name, paused, maxBuilds, about, ...(incarnation === null ? {} : { incarnation }) };
}

/** Its agent has been heard, or it has said something itself. */
function lastSeenOf({ lastSeenAt }: BotRow, unseenMs: number | undefined, at: number): { lastSeenAt?: number } {
  const heardAt = unseenMs === undefined ? 0 : Math.floor(at - unseenMs);
  const newest = Math.max(lastSeenAt ?? 0, heardAt);
  return newest === 0 ? {} : { lastSeenAt: newest };
}
