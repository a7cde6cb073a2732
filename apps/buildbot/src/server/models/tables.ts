import type { Db } from "../store/index.ts";
import { type AnyQuery, type Model, resultsNumber } from "./model.ts";

const integer = (from: string) => ({ kind: "integer", from }) as const;
const text = (from: string) => ({ kind: "text", from }) as const;
const flag = (from: string) => ({ kind: "boolean", from }) as const;
const time = (from: string) => ({ kind: "datetime", from }) as const;
const json = (from: string) => ({ kind: "json", from }) as const;
const results = (column: string) => ({
  results: { kind: "integer", from: resultsNumber(column) } as const,
  /** In a word. */
  result: text(column),
});

const of = (run: (db: Db) => unknown) => (db: Db) => run(db) as AnyQuery;

export const buildRequests: Model = {
  name: "software_dev.buildrequest",
  from: of((db) => db.selectFrom("requests").innerJoin("builders", "builders.id", "requests.builder_id")),
  fields: {
    id: integer("requests.id"),
    builder: text("builders.name"),
    branch: text("requests.branch"),
    revision: text("requests.revision"),
    reason: text("requests.reason"),
    priority: integer("requests.priority"),
    properties: json("requests.properties_json"),
    state: text("requests.state"),
    ...results("requests.results"),
    submitted_at: time("requests.submitted_at"),
    submitted_by: text("requests.submitted_by"),
    claimed_by: text("requests.claimed_by"),
    complete_at: time("requests.complete_at"),
    build_id: integer("requests.build_id"),
  },
};

const builds: Model = {
  name: "software_dev.build",
  from: of((db) => db.selectFrom("builds").innerJoin("builders", "builders.id", "builds.builder_id")),
  fields: {
    id: integer("builds.id"),
    request_id: integer("builds.request_id"),
    builder: text("builders.name"),
    number: integer("builds.number"),
    bot: text("builds.bot"),
    branch: text("builds.branch"),
    revision: text("builds.revision"),
    subject: text("builds.subject"),
    author: text("builds.author"),
    reason: text("builds.reason"),
    state: text("builds.state"),
    ...results("builds.results"),
    summary: text("builds.summary"),
    started_at: time("builds.started_at"),
    finished_at: time("builds.finished_at"),
    properties: json("builds.properties_json"),
  },
};

const builders: Model = {
  name: "software_dev.builder",
  from: of((db) =>
    db
      .selectFrom("builders")
      .innerJoin("repositories", "repositories.id", "builders.repository_id")
      .where("builders.retired", "=", 0),
  ),
  fields: {
    id: integer("builders.id"),
    name: text("builders.name"),
    title: text("builders.title"),
    group: text("builders.group_name"),
    repository: text("repositories.name"),
    branch: text("builders.branch"),
    priority: integer("builders.priority"),
  },
};

const commits: Model = {
  name: "software_dev.commit",
  from: of((db) => db.selectFrom("commits").innerJoin("repositories", "repositories.id", "commits.repository_id")),
  fields: {
    id: integer("commits.id"),
    repository: text("repositories.name"),
    hash: text("commits.hash"),
    parent: text("commits.parent"),
    branch: text("commits.branch"),
    author: text("commits.author"),
    date: time("commits.at"),
    subject: text("commits.subject"),
  },
};

/** Not what proves who they are. */
const bots: Model = {
  name: "software_dev.buildbot",
  from: of((db) => db.selectFrom("bots")),
  fields: {
    id: integer("bots.id"),
    name: text("bots.name"),
    max_builds: integer("bots.max_builds"),
    incarnation: text("bots.incarnation"),
    paused: flag("bots.paused"),
    last_seen_at: time("bots.last_seen_at"),
    about: json("bots.about_json"),
  },
};

const testResults: Model = {
  name: "software_dev.test_result",
  from: of((db) => db.selectFrom("tests").innerJoin("builders", "builders.id", "tests.builder_id")),
  fields: {
    id: integer("tests.id"),
    build_id: integer("tests.build_id"),
    builder: text("builders.name"),
    step: integer("tests.step"),
    suite: text("tests.suite"),
    name: text("tests.name"),
    state: text("tests.state"),
    duration_ms: { kind: "number", from: "tests.duration_ms" },
    message: text("tests.message"),
  },
};

/** What can be read, and no more. */
export const READ_ONLY: readonly Model[] = [builds, builders, commits, bots, testResults];
