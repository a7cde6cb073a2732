import { type ImplementationOf, RpcError } from "@rpc/core";
import { Builds } from "../../contracts/page.ts";
import type { BuildRequest } from "../../contracts/values.ts";
import { cut } from "../../cut.ts";
import { nameOf } from "../auth/index.ts";
import { requestRebuild } from "../desk/index.ts";
import { followLog } from "../logs/index.ts";
import {
  cancelRequest,
  getBuild,
  getBuildByNumber,
  getBuildSummary,
  getRequest,
  insertRequest,
  listBuilders,
  listBuilds,
  listRequests,
  listTests,
  type NewRequest,
  requestCancel,
  testHistory,
} from "../store/index.ts";
import type { PageParts } from "./page-parts.ts";

const MOST_HIT_CHARS = 200;

export function builds(parts: PageParts): ImplementationOf<typeof Builds> {
  const { store, logs, bus, commands } = parts;
  const { db } = store;
  return {
    list: (filter) => listBuilds(db, filter),
    get: async ({ id }) => (await getBuild(db, id)) ?? noBuild("get", id),
    byNumber: async ({ builder, number }) => {
      const build = await getBuildByNumber(db, builder, number);
      if (build !== undefined) return build;
      if ((await listBuilders(db, builder)).length === 0) throw noBuilder("byNumber", builder);
      throw Builds.byNumber.error("NoSuchBuild", { id: number }, { code: "NOT_FOUND" });
    },
    requests: (filter) => listRequests(db, filter),
    request: async ({ id }) => (await getRequest(db, id)) ?? noRequest(id),
    force: async (wish, { peer }) => {
      const request = await wishFor(parts, { ...wish, by: nameOf(peer) });
      if (request === undefined) throw noBuilder("force", wish.builder);
      return request;
    },
    rebuild: async ({ id }, { peer }) => {
      const build = await getBuildSummary(db, id);
      if (build === undefined) return noBuild("rebuild", id);
      if ((await listBuilders(db, build.builder)).length === 0) throw noBuilder("rebuild", build.builder);
      const by = nameOf(peer);
      const { request, isNew } = await store.transaction(async (tx) => {
        const made = await requestRebuild(tx, id, { by, at: store.wallClock() });
        if (made.isNew) await commands.tellOfRequests(tx, [made.request], { by });
        return made;
      });
      if (isNew) bus.emit("queueChanged", request);
      return request;
    },
    cancel: async ({ id, reason }, { peer }) => {
      const build = await store.transaction(async (tx) => {
        const cancelled = await requestCancel(tx.db, id, reason);
        if (cancelled !== undefined) await commands.stopBuild(tx, cancelled, { by: nameOf(peer), reason });
        return cancelled;
      });
      if (build !== undefined) bus.emit("buildChanged", build);
      // One that has ended meanwhile needs no stopping.
      else if ((await getBuildSummary(db, id)) === undefined) noBuild("cancel", id);
      return {};
    },
    cancelRequest: async ({ id, reason }, { peer }) => {
      const cancelled = await cancelRequest(
        db,
        id,
        store.wallClock(),
        `${reason || "no reason given"} (${nameOf(peer)})`,
      );
      if (cancelled === undefined) {
        const { state } = (await getRequest(db, id)) ?? noRequest(id);
        const hint = state === "claimed" ? "; cancel its build" : "";
        throw new RpcError("FAILED_PRECONDITION", `request ${id} does not wait any more: it is ${state}${hint}`);
      }
      bus.emit("queueChanged", cancelled);
      return cancelled;
    },
    lines: async ({ build, step, firstLine, limit }) => {
      const { steps } = (await getBuild(db, build)) ?? noBuild("lines", build);
      // Looked at before the log is: what has ended then, grows no more.
      const state = steps.find(({ seq }) => seq === step)?.state;
      const { next: _, ...window } = await logs.lines(build, step, firstLine, limit);
      const isLast = window.firstLine + window.lines.length >= window.totalLines;
      return { ...window, ended: state === "finished" && isLast };
    },
    searchLog: async ({ build, step, text, limit }) =>
      // All of the lines together could be more than a message holds.
      (await logs.search(build, step, text, limit)).map((hit) => ({
        line: hit.line,
        text: cut(hit.text, MOST_HIT_CHARS),
      })),
    follow: async function* ({ build, step, firstLine, tail }, { signal }) {
      if ((await getBuildSummary(db, build)) === undefined) noBuild("follow", build);
      yield* followLog({ store, logs, bus }, { build, step, firstLine, tail }, signal);
    },
    tests: async ({ build, ...filter }) => {
      if ((await getBuildSummary(db, build)) === undefined) noBuild("tests", build);
      return listTests(db, build, filter);
    },
    testHistory: (test) => testHistory(db, test),
  };
}

/** Makes a request and tells the bots, in one transaction. Undefined: there is no such builder. */
export async function wishFor(
  { store, commands, bus }: Pick<PageParts, "store" | "commands" | "bus">,
  wish: Omit<NewRequest, "at">,
): Promise<BuildRequest | undefined> {
  const request = await store.transaction(async (tx) => {
    const made = await insertRequest(tx.db, { ...wish, at: store.wallClock() });
    if (made !== undefined) await commands.tellOfRequests(tx, [made], { by: wish.by });
    return made;
  });
  if (request !== undefined) bus.emit("queueChanged", request);
  return request;
}

type WithNotFound = "get" | "byNumber" | "force" | "rebuild" | "cancel" | "lines" | "follow" | "tests";

function noBuild(method: WithNotFound, id: number): never {
  throw Builds[method].error("NoSuchBuild", { id }, { code: "NOT_FOUND" });
}

function noBuilder(method: WithNotFound, builder: string): RpcError {
  return Builds[method].error("NoSuchBuilder", { builder }, { code: "NOT_FOUND" });
}

function noRequest(id: number): never {
  throw new RpcError("NOT_FOUND", `there is no build request ${id}`);
}
