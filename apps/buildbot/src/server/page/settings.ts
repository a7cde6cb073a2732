import type { ImplementationOf } from "@rpc/core";
import { Settings } from "../../contracts/page.ts";
import { nameOf } from "../auth/index.ts";
import {
  configurationHistory,
  previewConfiguration,
  type Problem,
  readConfiguration,
  saveConfiguration,
} from "../config/index.ts";
import type { PageParts } from "./page-parts.ts";

export function settings({ store, bus }: PageParts): ImplementationOf<typeof Settings> {
  const { db } = store;
  return {
    get: () => readConfiguration(db),
    preview: async ({ text }) => {
      const { problems, diff } = await previewConfiguration(db, text);
      return { problems: problems.map(toProblem), diff };
    },
    save: async ({ text, version, note }, { peer }) => {
      const at = store.wallClock();
      const saved = await store.transaction((tx) =>
        saveConfiguration(tx, { text, version, note, author: nameOf(peer), at }),
      );
      if (saved.outcome === "stale") {
        throw Settings.save.error("Stale", { version: saved.version, author: saved.author }, { code: "ABORTED" });
      }
      if (saved.outcome === "invalid") {
        throw Settings.save.error("Invalid", { problems: saved.problems.map(toProblem) }, { code: "INVALID_ARGUMENT" });
      }
      for (const request of saved.requests) bus.emit("queueChanged", request);
      bus.emit("configChanged", { version: saved.version });
      return { version: saved.version };
    },
    history: ({ limit }) => configurationHistory(db, limit),
  };
}

function toProblem({ line, message }: Problem): { line?: number; message: string } {
  return { ...(line === undefined ? {} : { line }), message };
}
