import { z } from "zod";

/** How a step, a build or a request ended. The numbers are Buildbot's, which scripts and the XML-RPC models show. */
export const RESULTS = ["success", "warnings", "failure", "skipped", "exception", "retry", "cancelled"] as const;
export type Results = (typeof RESULTS)[number];
export const Results = z.enum(RESULTS);

/** Instants are milliseconds since 1970 by the server's clock. */
const At = z.int();
const Id = z.int().positive();
export const Properties = z.record(z.string().max(100), z.string().max(10_000));
export type Properties = z.infer<typeof Properties>;

const MOST_PROPERTY_CHARS = 20_000;
/** As they come in: an order holds those of its builder and of its request, and travels in one message. */
export const NewProperties = Properties.refine(
  (properties) =>
    Object.entries(properties).reduce((sum, [name, value]) => sum + name.length + value.length, 0) <=
    MOST_PROPERTY_CHARS,
  { error: `properties have at most ${MOST_PROPERTY_CHARS} characters together` },
);

/** A branch, or what else git takes for a revision. */
export const Ref = z.string().max(500);

/** Of a build: the checkout, and what its builder names. */
export const MOST_STEPS = 1_000;
/** Of one artefact. */
export const MOST_ARTEFACT_BYTES = 1024 * 1024 * 1024;

/** One command of a build: what runs, and what its end means for the build. */
export const Step = z.object({
  name: z.string().min(1).max(100),
  /** A list is run as it is, a text by the shell. `${property}` stands for a build's property. */
  command: z.union([z.string().min(1), z.array(z.string()).min(1)]),
  /** Below the work tree. */
  workdir: z.string().default("."),
  /** Added to the builder's; null takes a variable away. `${VAR}` stands for one of the bot's own. */
  env: z.record(z.string(), z.string().nullable()).default({}),
  /** Without a line of output for so long, the step is stopped. 0: never. */
  noOutputTimeoutSeconds: z.int().min(0).default(1200),
  /** 0: as long as it takes. */
  maxSeconds: z.int().min(0).default(0),
  /** From SIGTERM to SIGKILL. */
  killAfterSeconds: z.int().min(0).default(10),
  haltOnFailure: z.boolean().default(true),
  flunkOnFailure: z.boolean().default(true),
  warnOnFailure: z.boolean().default(false),
  /** Runs even after a step that halts the build, and after a cancel. */
  alwaysRun: z.boolean().default(false),
  /** What its output, or the file `report`, says of tests. */
  tests: z.enum(["none", "tap", "junit", "vitest"]).default("none"),
  /** A file below the work tree that holds the results, for `junit` and `vitest`. */
  report: z.string().optional(),
  /** Glob patterns below the work tree; what matches is kept with the build. */
  artefacts: z.array(z.string()).default([]),
});
export type Step = z.infer<typeof Step>;

export const Scheduler = z.discriminatedUnion("kind", [
  /** A build for new commits, once nothing has come for `quietSeconds`. */
  z.object({
    kind: z.literal("change"),
    branches: z.array(z.string()).default(["*"]),
    quietSeconds: z.int().min(0).default(5),
  }),
  z.object({ kind: z.literal("periodic"), everySeconds: z.int().min(10), onlyWhenChanged: z.boolean().default(false) }),
  /** A cron expression of five fields, in the server's time zone. */
  z.object({ kind: z.literal("nightly"), cron: z.string(), onlyWhenChanged: z.boolean().default(false) }),
  /** A build of the same revision after each build of `upstream` that ended with success or warnings. */
  z.object({ kind: z.literal("dependent"), upstream: z.string() }),
]);
export type Scheduler = z.infer<typeof Scheduler>;

/** The whole configuration, as it is edited: names refer to names. It stands in tables; this is their one text. */
export const Configuration = z.object({
  repositories: z.record(
    z.string(),
    z.object({
      url: z.string().min(1),
      /** Branches that are looked at, as patterns. */
      branches: z.array(z.string()).default(["main", "master"]),
      /** 0: only webhooks and `pollSources`. */
      pollSeconds: z.int().min(0).default(60),
      /** Of GitHub's and Gitea's signatures. Without one, webhooks for it are refused. */
      webhookSecret: z.string().optional(),
    }),
  ),
  builders: z.record(
    z.string(),
    z.object({
      title: z.string().default(""),
      group: z.string().default(""),
      repository: z.string(),
      branch: z.string().default("main"),
      /** Patterns of bots' names. */
      bots: z.array(z.string()).default(["*"]),
      priority: z.int().min(-100).max(100).default(0),
      /** More finished builds than that are deleted, the oldest first. 0: all stay. */
      keepBuilds: z.int().min(0).default(0),
      /** Builds that ended longer ago are deleted. 0: they stay. The newest one, and the newest good one, stay always. */
      keepDays: z.int().min(0).max(36_500).default(0),
      env: z.record(z.string(), z.string().nullable()).default({}),
      properties: NewProperties.default({}),
      /** Names of the bot's environment variables whose values never show in a log. */
      secrets: z.array(z.string()).default([]),
      /** Parameters that are asked for when a build is forced. */
      parameters: z
        .array(
          z.object({
            name: z.string(),
            label: z.string().default(""),
            default: z.string().default(""),
            choices: z.array(z.string()).default([]),
          }),
        )
        .default([]),
      schedulers: z.array(Scheduler).default([]),
      steps: z
        .array(Step)
        .min(1)
        .max(MOST_STEPS - 1),
    }),
  ),
});
export type Configuration = z.infer<typeof Configuration>;

export const Commit = z.object({
  id: Id,
  repository: z.string(),
  hash: z.string(),
  branch: z.string(),
  author: z.string(),
  at: At,
  subject: z.string(),
});
export type Commit = z.infer<typeof Commit>;

/** A wish for a build. It waits for a bot, and has at most one build that counts. */
export const BuildRequest = z.object({
  id: Id,
  builder: z.string(),
  branch: z.string(),
  /** Undefined: whatever the branch is at when the build begins. */
  revision: z.string().optional(),
  reason: z.string(),
  priority: z.int(),
  properties: Properties,
  state: z.enum(["pending", "claimed", "complete"]),
  results: Results.optional(),
  submittedAt: At,
  submittedBy: z.string(),
  claimedBy: z.string().optional(),
  completeAt: At.optional(),
  buildId: Id.optional(),
  /** Of one that was taken out of the queue: why, and by whom. */
  cancelReason: z.string().optional(),
});
export type BuildRequest = z.infer<typeof BuildRequest>;

export const BuildSummary = z.object({
  id: Id,
  requestId: Id,
  builder: z.string(),
  /** Counts per builder, from 1. */
  number: z.int().positive(),
  bot: z.string(),
  branch: z.string(),
  revision: z.string(),
  subject: z.string(),
  author: z.string(),
  reason: z.string(),
  state: z.enum(["running", "finished"]),
  results: Results.optional(),
  summary: z.string(),
  startedAt: At,
  finishedAt: At.optional(),
  cancelRequested: z.boolean(),
});
export type BuildSummary = z.infer<typeof BuildSummary>;

export const BuildStep = z.object({
  seq: z.int().min(0),
  name: z.string(),
  state: z.enum(["waiting", "running", "finished"]),
  results: Results.optional(),
  startedAt: At.optional(),
  finishedAt: At.optional(),
  exitCode: z.int().optional(),
  /** In words: `exit code 2`, `no output for 1200 s`, `12 of 340 tests failed`. */
  summary: z.string(),
  logBytes: z.int(),
  logLines: z.int(),
});
export type BuildStep = z.infer<typeof BuildStep>;

export const Artefact = z.object({ id: Id, name: z.string(), bytes: z.int(), sha256: z.string() });
export type Artefact = z.infer<typeof Artefact>;

export const TEST_STATES = ["pass", "fail", "error", "skip"] as const;
export const TestResult = z.object({
  step: z.int().min(0),
  suite: z.string(),
  name: z.string(),
  state: z.enum(TEST_STATES),
  durationMs: z.number().optional(),
  message: z.string().optional(),
});
export type TestResult = z.infer<typeof TestResult>;

export const BuildDetail = BuildSummary.extend({
  steps: z.array(BuildStep),
  properties: Properties,
  artefacts: z.array(Artefact),
  tests: z.object({ pass: z.int(), fail: z.int(), error: z.int(), skip: z.int() }),
});
export type BuildDetail = z.infer<typeof BuildDetail>;

export const LogLines = z.object({
  /** Of the first line, from 0. */
  firstLine: z.int().min(0),
  /** Without line ends, colours (ANSI) kept. The last one of a running step may still grow. */
  lines: z.array(z.object({ text: z.string(), stream: z.enum(["out", "err", "head"]) })),
  /** Of the whole log, now. */
  totalLines: z.int(),
  /** Nothing will follow. */
  ended: z.boolean(),
});
export type LogLines = z.infer<typeof LogLines>;

export const BuilderSummary = z.object({
  name: z.string(),
  title: z.string(),
  group: z.string(),
  repository: z.string(),
  branch: z.string(),
  bots: z.array(z.string()),
  parameters: Configuration.shape.builders.valueType.shape.parameters.unwrap(),
  pending: z.int(),
  running: z.array(BuildSummary),
  /** Newest first, at most 20. */
  recent: z.array(BuildSummary),
});
export type BuilderSummary = z.infer<typeof BuilderSummary>;

export const BuilderDetail = BuilderSummary.extend({
  /** What makes it build by itself. */
  schedulers: z.array(
    z.object({
      scheduler: Scheduler,
      /** Of those that go by time. */
      nextAt: At.optional(),
    }),
  ),
  /** What it does, after the checkout, by the names of its steps. */
  steps: z.array(z.string()),
});
export type BuilderDetail = z.infer<typeof BuilderDetail>;

export const BotSummary = z.object({
  id: Id,
  name: z.string(),
  /** Subscribed to its address now. */
  present: z.boolean(),
  lastSeenAt: At.optional(),
  incarnation: z.string().optional(),
  paused: z.boolean(),
  maxBuilds: z.int(),
  running: z.array(BuildSummary),
  /** `os`, `node`, `git`, `cpus` … as it told. */
  about: z.record(z.string(), z.string()),
});
export type BotSummary = z.infer<typeof BotSummary>;

/** A row of the command queue, as the page shows it. */
export const CommandSummary = z.object({
  id: Id,
  bot: z.string(),
  method: z.string(),
  args: z.string(),
  state: z.enum(["queued", "waiting", "claimed", "done", "failed", "expired", "cancelled"]),
  createdAt: At,
  finishedAt: At.optional(),
  expiresAt: At.optional(),
  createdBy: z.string(),
  /** What came of it, in words. */
  outcome: z.string(),
});
export type CommandSummary = z.infer<typeof CommandSummary>;

export const ROLES = ["viewer", "developer", "admin"] as const;
export type Role = (typeof ROLES)[number];
