import { Logger, makeWorkerUtils, run, type Runner } from "graphile-worker";
import { Client } from "pg";
import type { QueueEntrant } from "../harness/entrant.ts";
import { postgresUrl } from "../harness/queue-database.ts";

type Settings = NonNullable<GraphileConfig.Preset["worker"]>;

/** It logs each job, and a terminal would be measured. */
const logger = new Logger(() => () => undefined);

export function graphileWorker(settings: Partial<Settings>): QueueEntrant {
  const schema = "graphile";
  const start = (handle: (id: number) => void): Promise<Runner> =>
    run({
      preset: { worker: { connectionString: postgresUrl(), schema, ...settings } },
      logger,
      noHandleSignals: true,
      parsedCronItems: [],
      taskList: {
        echo: (payload) => handle((payload as { readonly id: number }).id),
      },
    });
  return {
    isOneWay: true,
    prepare: async () => {
      const client = new Client(postgresUrl());
      await client.connect();
      await client.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
      await client.end();
      const utils = await makeWorkerUtils({ connectionString: postgresUrl(), schema, logger });
      await utils.migrate();
      await utils.release();
      return schema;
    },
    openIssuer: async () => {
      const utils = await makeWorkerUtils({ connectionString: postgresUrl(), schema, logger });
      return {
        call: async (message) => {
          await utils.addJob("echo", message);
          return message.id;
        },
        issueAll: async (messages) => {
          await utils.addJobs(messages.map((payload) => ({ identifier: "echo", payload })));
        },
      };
    },
    openAgent: async (_place, handle) => {
      const runner = await start(handle);
      return { close: () => runner.stop() };
    },
    drain: async (_place, count) => {
      let began = 0;
      let completed = 0;
      const allDone = Promise.withResolvers<void>();
      const runner = await start(() => {
        if (began === 0) began = performance.now();
      });
      runner.events.on("job:complete", () => {
        if (++completed === count) allDone.resolve();
      });
      await allDone.promise;
      return { elapsedMs: performance.now() - began };
    },
  };
}
