import { defineContract, event, serverStream, unary } from "@rpc/core";
import { z } from "zod";
import {
  BotSummary,
  BuildDetail,
  BuilderDetail,
  BuilderSummary,
  BuildRequest,
  BuildSummary,
  CommandSummary,
  Commit,
  LogLines,
  NewProperties,
  Ref,
  Results,
  ROLES,
  TEST_STATES,
  TestResult,
} from "./values.ts";

const Id = z.int().positive();
const Limit = z.int().min(1).max(500).default(50);
const Ok = z.object({});
const NotFound = { NoSuchBuilder: z.object({ builder: z.string() }), NoSuchBuild: z.object({ id: z.int() }) };

/** Builds, their logs and the queue before them: for people, the page, `buildbot log` and scripts. */
export const Builds = defineContract("buildbot.v1.Builds", {
  list: unary({
    input: z.object({
      builder: z.string().optional(),
      branch: z.string().optional(),
      bot: z.string().optional(),
      results: Results.optional(),
      /** In subject, author, revision, reason. */
      search: z.string().optional(),
      /** Older than this build. */
      before: Id.optional(),
      limit: Limit,
    }),
    output: z.array(BuildSummary),
    idempotent: true,
    doc: "newest first",
  }),
  get: unary({ input: z.object({ id: Id }), output: BuildDetail, errors: NotFound, idempotent: true }),
  byNumber: unary({
    input: z.object({ builder: z.string(), number: z.int().positive() }),
    output: BuildDetail,
    errors: NotFound,
    idempotent: true,
  }),
  requests: unary({
    input: z.object({ builder: z.string().optional(), pendingOnly: z.boolean().default(true), limit: Limit }),
    output: z.array(BuildRequest),
    idempotent: true,
  }),
  request: unary({ input: z.object({ id: Id }), output: BuildRequest, idempotent: true }),
  force: unary({
    input: z.object({
      builder: z.string(),
      branch: Ref.optional(),
      revision: Ref.optional(),
      reason: z.string().max(500).default("forced"),
      properties: NewProperties.default({}),
      priority: z.int().min(-100).max(100).optional(),
    }),
    output: BuildRequest,
    errors: NotFound,
    doc: "wishes for a build and tells the bots",
  }),
  rebuild: unary({ input: z.object({ id: Id }), output: BuildRequest, errors: NotFound }),
  cancel: unary({
    input: z.object({ id: Id, reason: z.string().max(500) }),
    output: Ok,
    errors: NotFound,
    doc: "stops a running build; it ends as cancelled",
  }),
  cancelRequest: unary({ input: z.object({ id: Id, reason: z.string().max(500) }), output: BuildRequest }),
  lines: unary({
    input: z.object({
      build: Id,
      step: z.int().min(0),
      firstLine: z.int().min(0),
      limit: z.int().min(1).max(5000).default(1000),
    }),
    output: LogLines,
    errors: NotFound,
    idempotent: true,
    doc: "a window of a step's log",
  }),
  /** Of each line no more than its first 200 characters. */
  searchLog: unary({
    input: z.object({ build: Id, step: z.int().min(0), text: z.string().min(1).max(200), limit: Limit }),
    output: z.array(z.object({ line: z.int(), text: z.string() })),
    idempotent: true,
  }),
  follow: serverStream({
    input: z.object({
      build: Id,
      step: z.int().min(0).optional(),
      firstLine: z.int().min(0).default(0),
      /** Where a log grows faster than it is read: its end, and not all that is before it. */
      tail: z.boolean().default(false),
    }),
    output: LogLines.extend({ step: z.int().min(0) }),
    errors: NotFound,
    doc: "a log from a line on, as it grows, until the step (without `step`: the build) has ended",
  }),
  tests: unary({
    input: z.object({
      build: Id,
      state: z.enum(TEST_STATES).optional(),
      search: z.string().optional(),
      offset: z.int().min(0).default(0),
      limit: Limit,
    }),
    output: z.object({ total: z.int(), tests: z.array(TestResult) }),
    errors: NotFound,
    idempotent: true,
  }),
  testHistory: unary({
    input: z.object({ builder: z.string(), suite: z.string(), name: z.string(), limit: Limit }),
    output: z.array(TestResult.extend({ build: BuildSummary })),
    idempotent: true,
    doc: "newest first",
  }),
  /** Sub-topic: `<builder's id>.<build's id>`. Sent when a build begins, when a step begins or ends, and at its end. */
  changed: event({ payload: BuildSummary }),
  /** A request has come, been claimed, ended. */
  queueChanged: event({ payload: BuildRequest }),
});

/** What is built, and by whom. */
export const House = defineContract("buildbot.v1.House", {
  builders: unary({ output: z.array(BuilderSummary), idempotent: true }),
  builder: unary({ input: z.object({ name: z.string() }), output: BuilderDetail, errors: NotFound, idempotent: true }),
  /** Buckets of one day, for charts. */
  trends: unary({
    input: z.object({ builder: z.string().optional(), days: z.int().min(1).max(366).default(30) }),
    output: z.array(
      z.object({
        day: z.string(),
        success: z.int(),
        other: z.int(),
        medianSeconds: z.number(),
        longestSeconds: z.number(),
      }),
    ),
    idempotent: true,
  }),
  changes: unary({
    input: z.object({ repository: z.string().optional(), before: Id.optional(), limit: Limit }),
    output: z.array(Commit.extend({ builds: z.array(BuildSummary) })),
    idempotent: true,
  }),
  repositories: unary({
    output: z.array(
      z.object({
        name: z.string(),
        url: z.string(),
        polledAt: z.int().optional(),
        /** Why the last poll failed. */
        problem: z.string().optional(),
      }),
    ),
    idempotent: true,
  }),
  /** Configuration or repositories have changed; the payload is the configuration's version. */
  changed: event({ payload: z.object({ version: z.int() }), lastValue: true }),
});

export const Bots = defineContract("buildbot.v1.Bots", {
  list: unary({ output: z.array(BotSummary), idempotent: true }),
  create: unary({
    input: z.object({
      name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/),
      maxBuilds: z.int().min(1).max(64).default(2),
    }),
    output: z.object({ bot: BotSummary, token: z.string() }),
    doc: "the token is told once",
  }),
  remove: unary({ input: z.object({ name: z.string() }), output: Ok }),
  /** Puts a command into the bot's queue and answers with its row, not with its outcome. `bot: "*"` tells all of them. */
  command: unary({
    input: z.object({
      bot: z.string(),
      method: z.enum([
        "ping",
        "triggerMasterRequests",
        "triggerAllReconfig",
        "pollAllSources",
        "pause",
        "resume",
        "shutdown",
        "status",
      ]),
      /** Of `shutdown`. */
      graceful: z.boolean().default(true),
    }),
    output: z.array(CommandSummary),
  }),
  commands: unary({
    input: z.object({ bot: z.string().optional(), before: Id.optional(), limit: Limit }),
    output: z.array(CommandSummary),
    idempotent: true,
  }),
  cancelCommand: unary({ input: z.object({ id: Id }), output: CommandSummary }),
  changed: event({ payload: BotSummary }),
  commandChanged: event({ payload: CommandSummary }),
});

export const Settings = defineContract("buildbot.v1.Settings", {
  get: unary({
    output: z.object({ version: z.int(), text: z.string() }),
    idempotent: true,
    doc: "the configuration as YAML",
  }),
  preview: unary({
    input: z.object({ text: z.string().max(1_000_000) }),
    output: z.object({
      /** With the line, from 1, where there is one. Empty: it can be saved. */
      problems: z.array(z.object({ line: z.int().optional(), message: z.string() })),
      /** A unified diff against what is saved. */
      diff: z.string(),
    }),
    idempotent: true,
  }),
  save: unary({
    input: z.object({ text: z.string().max(1_000_000), version: z.int(), note: z.string().max(500).default("") }),
    output: z.object({ version: z.int() }),
    errors: {
      /** Somebody else has saved since `version`. */
      Stale: z.object({ version: z.int(), author: z.string() }),
      Invalid: z.object({ problems: z.array(z.object({ line: z.int().optional(), message: z.string() })) }),
    },
  }),
  history: unary({
    input: z.object({ limit: Limit }),
    output: z.array(z.object({ version: z.int(), at: z.int(), author: z.string(), note: z.string() })),
    idempotent: true,
  }),
});

export const Users = defineContract("buildbot.v1.Users", {
  whoami: unary({ output: z.object({ name: z.string(), role: z.enum(ROLES) }), idempotent: true }),
  list: unary({
    output: z.array(z.object({ name: z.string(), role: z.enum(ROLES), createdAt: z.int() })),
    idempotent: true,
  }),
  create: unary({
    input: z.object({ name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/), role: z.enum(ROLES) }),
    output: z.object({ token: z.string() }),
    doc: "the token is told once",
  }),
  remove: unary({ input: z.object({ name: z.string() }), output: Ok }),
});
