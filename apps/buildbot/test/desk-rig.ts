// A server's desk with its database, logs and artefacts on disk, and bots that call it over TCP.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type ClientOf,
  type Clock,
  createClient,
  mergeRouters,
  type Peer,
  systemClock,
  type Transport,
} from "@rpc/core";
import { createTcpTransport, serveTcp } from "@rpc/tcp";
import { createDatabase } from "../../../packages/db-queue/test/postgres-database.ts";
import { Desk } from "../src/contracts/bot.ts";
import { Artefacts } from "../src/server/artefacts/index.ts";
import { type Bus, type BusEvents, createBus } from "../src/server/bus.ts";
import { Commands } from "../src/server/commands/index.ts";
import { createDesk } from "../src/server/desk/index.ts";
import { Logs } from "../src/server/logs/index.ts";
import { createBot, openStore, type Store } from "../src/server/store/index.ts";

export interface DeskRig extends AsyncDisposable {
  readonly folder: string;
  readonly store: Store;
  readonly bus: Bus;
  readonly logs: Logs;
  readonly artefacts: Artefacts;
  readonly commands: Commands;
  readonly failures: unknown[];
  /** What the bus has told since the start. */
  readonly told: { readonly name: keyof BusEvents; readonly value: unknown }[];
  /** A new bot; whoever has its name may call. */
  addBot(name: string, maxBuilds?: number): Promise<{ readonly id: number; readonly name: string }>;
  desk(bot: string): ClientOf<typeof Desk>;
  transport(bot: string): Transport;
}

export interface DeskRigOptions {
  readonly kind?: "sqlite" | "postgres";
  readonly clock?: Clock;
  readonly wallClock?: () => number;
}

export async function openDeskRig({
  kind = "sqlite",
  clock = systemClock,
  wallClock = Date.now,
}: DeskRigOptions = {}): Promise<DeskRig> {
  const folder = mkdtempSync(join(tmpdir(), "buildbot-desk-"));
  const place = kind === "sqlite" ? join(folder, "buildbot.db") : await createDatabase();
  const store = await openStore(place, { clock, wallClock });
  const failures: unknown[] = [];
  const failed = (error: unknown): void => void failures.push(error);
  const bus = createBus(failed);
  const told: { name: keyof BusEvents; value: unknown }[] = [];
  for (const name of [
    "buildChanged",
    "queueChanged",
    "botChanged",
    "commandChanged",
    "commitsAdded",
    "logGrew",
  ] as const) {
    bus.on(name, (value) => void told.push({ name, value }));
  }
  const botOf = ({ identity }: Peer): string | undefined =>
    identity?.startsWith("bot:") === true ? identity.slice("bot:".length) : undefined;
  const logs = new Logs({ folder: join(folder, "logs") });
  const artefacts = new Artefacts({ folder: join(folder, "artefacts"), maxArtefactBytes: 10_000_000 });
  await artefacts.begin();
  const commands = await Commands.open({ store, bus, botOf, failed });
  const handler = mergeRouters(createDesk({ store, bus, logs, artefacts, commands, botOf }), commands.service);
  const secretOf = (identity: string): string => `the secret of ${identity}`;
  const listener = await serveTcp(handler, { secrets: secretOf });
  const transports: Transport[] = [];
  const transport = (bot: string): Transport => {
    const identity = `bot:${bot}`;
    const one = createTcpTransport(listener.endpoint, { identity, secret: secretOf(identity) });
    transports.push(one);
    return one;
  };
  return {
    folder,
    store,
    bus,
    logs,
    artefacts,
    commands,
    failures,
    told,
    addBot: (name, maxBuilds = 2) =>
      store.transaction(async (tx) => {
        const bot = await createBot(tx.db, { name, secret: "", maxBuilds, at: wallClock() });
        await commands.addBot(tx, bot);
        return bot;
      }),
    desk: (bot) => createClient(Desk, transport(bot)),
    transport,
    async [Symbol.asyncDispose]() {
      for (const one of transports) await one.close();
      await listener.close();
      await commands.close();
      await logs.close();
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
