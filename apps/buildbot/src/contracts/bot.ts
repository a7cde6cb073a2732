import { clientStream, defineContract, unary } from "@rpc/core";
import { z } from "zod";
import { BuildRequest, NewProperties, Properties, Ref, Results, Step, TestResult } from "./values.ts";

const Ok = z.object({});
const Id = z.int().positive();

/**
 * What the server tells a bot, as rows in the table: the bot pops them from its address. Declared as a contract like any other, so that
 * `queue.proxy(Bot, address)` is typed. Names and expiries are those of the OpenERP build bot.
 */
export const Bot = defineContract("buildbot.v1.Bot", {
  ping: unary({ output: z.literal("pong") }),
  triggerMasterRequests: unary({ output: Ok, doc: "look for build requests now" }),
  triggerAllReconfig: unary({ output: Ok, doc: "forget what is known of the configuration" }),
  pollAllSources: unary({ output: z.object({ commits: z.int() }), timeoutMs: 600_000 }),
  pollSources: unary({
    input: z.object({ repositories: z.array(z.string()) }),
    output: z.object({ commits: z.int() }),
    doc: "one at a time each; answers after all have been looked at",
  }),
  rescanCommits: unary({
    input: z.object({ repository: z.string(), commits: z.array(z.string()).max(1000), branch: z.string() }),
    output: z.object({ commits: z.int() }),
    doc: "an unknown repository is a CommandFailure with title and text",
  }),
  stopBuild: unary({ input: z.object({ build: Id, reason: z.string() }), output: z.object({ stopped: z.boolean() }) }),
  rebuild: unary({ input: z.object({ build: Id }), output: z.object({ request: Id }) }),
  pause: unary({ output: Ok, doc: "begin no more builds" }),
  resume: unary({ output: Ok }),
  shutdown: unary({ input: z.object({ graceful: z.boolean().default(true) }), output: Ok }),
  status: unary({
    output: z.object({
      paused: z.boolean(),
      running: z.array(z.object({ build: Id, builder: z.string(), step: z.string() })),
      about: z.record(z.string(), z.string()),
    }),
  }),
});

/** All that a bot needs for one build: nothing of the configuration is asked for while it runs. */
export const BuildOrder = z.object({
  build: Id,
  number: z.int().positive(),
  request: BuildRequest,
  repositoryUrl: z.string(),
  branch: z.string(),
  revision: z.string().optional(),
  properties: Properties,
  env: z.record(z.string(), z.string().nullable()),
  secrets: z.array(z.string()),
  steps: z.array(Step),
});
export type BuildOrder = z.infer<typeof BuildOrder>;

/** Who writes for a build carries its incarnation: a build that has been given to another is lost to it, whatever it says. */
const Errors = { BuildLost: z.object({ build: z.int(), why: z.string() }) };
const Writer = z.object({ build: Id, incarnation: z.string() });
export type Writer = z.infer<typeof Writer>;

const Began = Writer.extend({ revision: z.string(), subject: z.string(), author: z.string() });
/** The build's steps are known from its order; `seq` counts from 0. The checkout is step 0, the order's steps follow. */
const StepBegan = Writer.extend({ seq: z.int().min(0), name: z.string(), at: z.int() });
const StepEnded = Writer.extend({
  seq: z.int().min(0),
  at: z.int(),
  results: Results,
  exitCode: z.int().optional(),
  summary: z.string().max(1000),
});
const AddTests = Writer.extend({ part: z.int().min(0), tests: z.array(TestResult).max(1000) });
const SetProperties = Writer.extend({ properties: NewProperties });

const ArtefactHead = Writer.extend({ name: z.string().min(1).max(500), bytes: z.int().min(0), sha256: z.string() });

/** What is told of a build by single calls, as a bot keeps it until the server has heard it. */
export const Told = z.discriminatedUnion("method", [
  z.object({ method: z.literal("began"), input: Began }),
  z.object({ method: z.literal("stepBegan"), input: StepBegan }),
  z.object({ method: z.literal("stepEnded"), input: StepEnded }),
  z.object({ method: z.literal("addTests"), input: AddTests }),
  z.object({ method: z.literal("setProperties"), input: SetProperties }),
]);
export type Told = z.infer<typeof Told>;

/** What a bot asks of the server and tells it. Every method may be sent again: the second time changes nothing. */
export const Desk = defineContract("buildbot.v1.Desk", {
  /**
   * The first thing a bot says. Claims of the same bot under another incarnation are released, and their builds end as `retry`; but not those
   * that have ended in an earlier life of its folder, and of whose end it is still to tell, as that incarnation: `kept`.
   */
  hello: unary({
    input: z.object({
      incarnation: z.string().max(200),
      about: z.record(z.string(), z.string()),
      running: z.array(Id),
      kept: z.array(Writer).max(1000).default([]),
    }),
    output: z.object({
      name: z.string(),
      /** Tells its database from others': what is kept for one server is not told to another. */
      server: z
        .string()
        .regex(/^[\w-]{1,64}$/)
        .optional(),
      /** Where its commands wait. */
      address: z.string(),
      maxBuilds: z.int(),
      paused: z.boolean(),
      /** Those of `running` that are not its own any more: stop them. */
      lost: z.array(Id),
    }),
  }),
  /** At most `max` builds to begin now: their requests are claimed by this incarnation, oldest of the highest priority first. */
  claim: unary({
    input: z.object({ incarnation: z.string(), max: z.int().min(1).max(64) }),
    output: z.array(BuildOrder),
    doc: "may be asked again after a lost answer: claimed but not begun builds are given once more",
  }),
  began: unary({ input: Began, output: Ok, errors: Errors }),
  stepBegan: unary({ input: StepBegan, output: Ok, errors: Errors }),
  stepEnded: unary({ input: StepEnded, output: Ok, errors: Errors }),
  /**
   * Appends to a step's log. `offset` is the number of bytes before this piece: a piece that is there already is skipped, one that leaves a
   * gap is refused, and `size` says where to go on. `text` ends at the end of a character, not always of a line.
   */
  appendLog: unary({
    input: Writer.extend({
      seq: z.int().min(0),
      offset: z.int().min(0),
      pieces: z.array(z.object({ stream: z.enum(["out", "err", "head"]), text: z.string() })).max(1000),
    }),
    output: z.object({ size: z.int() }),
    errors: Errors,
  }),
  addTests: unary({ input: AddTests, output: Ok, errors: Errors }),
  setProperties: unary({ input: SetProperties, output: Ok, errors: Errors }),
  finished: unary({
    input: Writer.extend({ at: z.int(), results: Results, summary: z.string().max(1000) }),
    output: Ok,
    errors: Errors,
  }),
  /** First a head, then the bytes. Kept when all have come and the digest is right. */
  uploadArtefact: clientStream({
    input: z.union([ArtefactHead, z.object({ chunk: z.instanceof(Uint8Array) })]),
    output: Ok,
    errors: Errors,
  }),
  /**
   * The same in parts of at most 1 MiB, for wires without streams. `offset` is the number of bytes before this one: what is there already is
   * skipped, a part that leaves a gap is not taken, and `size` says where to go on. Parts outlive connections, and the server's process.
   */
  appendArtefact: unary({
    input: ArtefactHead.extend({ offset: z.int().min(0), chunk: z.instanceof(Uint8Array) }),
    output: z.object({ size: z.int() }),
    errors: Errors,
  }),
  /** For the bot's command of that name: a new request, like that of the build. */
  rebuild: unary({ input: z.object({ build: Id }), output: z.object({ request: Id }) }),
  /** What a poll has found, if only nothing. The server keeps new ones and lets the schedulers see them. */
  addCommits: unary({
    input: z.object({
      repository: z.string(),
      /** Why the poll failed. It is shown until one goes well. */
      problem: z.string().max(2000).optional(),
      commits: z
        .array(
          z.object({
            hash: z.string(),
            parent: Ref.optional(),
            branch: Ref,
            author: z.string(),
            at: z.int(),
            subject: z.string(),
          }),
        )
        .max(1000),
    }),
    output: z.object({ added: z.int() }),
  }),
  repositories: unary({
    output: z.array(
      z.object({
        name: z.string(),
        url: z.string(),
        branches: z.array(z.string()),
        heads: z.record(z.string(), z.string()),
      }),
    ),
  }),
});
