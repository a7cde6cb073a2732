import { createRouter, type Handler, mergeRouters } from "@rpc/core";
import { Bots, Builds, House, Settings, Users } from "../../contracts/page.ts";
import { bots, botSummaries } from "./bots.ts";
import { builds } from "./builds.ts";
import { house } from "./house.ts";
import type { PageParts } from "./page-parts.ts";
import { settings } from "./settings.ts";
import { users } from "./users.ts";

export interface Page {
  /** The five contracts that people, the page and scripts are served. */
  readonly handler: Handler;
  /** Publishes nothing more. */
  close(): Promise<void>;
}

/** Serves the page's contracts, and publishes their events from the bus, in its order. */
export function createPage(parts: PageParts, failed: (error: unknown) => void): Page {
  const { store, bus } = parts;
  // Nobody who reads slowly keeps what changes from the others.
  const options = { topics: { policies: ["drop-oldest", "disconnect"] } } as const;
  const served = {
    builds: createRouter(Builds, builds(parts), options),
    house: createRouter(House, house(parts), options),
    bots: createRouter(Bots, bots(parts), options),
    settings: createRouter(Settings, settings(parts)),
    users: createRouter(Users, users(parts)),
  };
  const inOrder = new InOrder(failed);
  const ids = new Map<string, number>();
  /** Stays the same for ever, under one name. */
  const builderId = async (name: string): Promise<number> => {
    const known = ids.get(name);
    if (known !== undefined) return known;
    const row = await store.db.selectFrom("builders").select("id").where("name", "=", name).executeTakeFirst();
    if (row !== undefined) ids.set(name, row.id);
    return row?.id ?? 0;
  };
  const tellOfBot = (name?: string): void =>
    inOrder.run(async () => {
      for (const bot of await botSummaries(parts, name)) await served.bots.changed.publish(bot);
    });
  const stops = [
    bus.on("buildChanged", (build) => {
      inOrder.run(async () => {
        const topic = `${await builderId(build.builder)}.${build.id}`;
        await served.builds.changed.publish(build, { topic });
      });
      tellOfBot(build.bot);
    }),
    bus.on("queueChanged", (request) => inOrder.run(() => served.builds.queueChanged.publish(request))),
    bus.on("commandChanged", (command) => inOrder.run(() => served.bots.commandChanged.publish(command))),
    bus.on("configChanged", ({ version }) => inOrder.run(() => served.house.changed.publish({ version }))),
    bus.on("botChanged", (name) => tellOfBot(name)),
  ];
  return {
    handler: mergeRouters(...Object.values(served)),
    close: async () => {
      for (const stop of stops) stop();
      await inOrder.ended();
    },
  };
}

/** One after the other; what fails does not stop the next. */
class InOrder {
  readonly #failed: (error: unknown) => void;
  #last: Promise<unknown> = Promise.resolve();

  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  run(task: () => Promise<unknown>): void {
    this.#last = this.#last.then(task).catch(this.#failed);
  }

  async ended(): Promise<void> {
    for (let last; last !== this.#last;) {
      last = this.#last;
      await last;
    }
  }
}
