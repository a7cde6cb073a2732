import type { Generated } from "kysely";
import type { Results, Role, TEST_STATES } from "../../contracts/values.ts";

/**
 * The database's tables, alike in SQLite and PostgreSQL. Names of columns end in `_json` where they hold JSON text; flags are 0 or 1; instants
 * are milliseconds since 1970.
 */
export interface Tables {
  readonly repositories: RepositoryTable;
  readonly heads: HeadTable;
  readonly commits: CommitTable;
  readonly builders: BuilderTable;
  readonly builder_steps: BuilderStepTable;
  readonly schedulers: SchedulerTable;
  readonly scheduler_changes: SchedulerChangeTable;
  readonly requests: RequestTable;
  readonly builds: BuildTable;
  readonly build_steps: BuildStepTable;
  readonly tests: TestTable;
  readonly test_parts: TestPartTable;
  readonly artefacts: ArtefactTable;
  readonly bots: BotTable;
  readonly users: UserTable;
  readonly configurations: ConfigurationTable;
  readonly facts: FactTable;
}

export interface RepositoryTable {
  readonly id: Generated<number>;
  readonly name: string;
  readonly position: number;
  readonly url: string;
  readonly branches_json: string;
  readonly poll_seconds: number;
  readonly webhook_secret: string | null;
  readonly polled_at: number | null;
  readonly problem: string | null;
  /** 1: no longer in the configuration; its commits stay. */
  readonly retired: Generated<number>;
}

/** What a branch is at, as far as anybody has told. */
export interface HeadTable {
  readonly repository_id: number;
  readonly branch: string;
  readonly hash: string;
}

export interface CommitTable {
  readonly id: Generated<number>;
  readonly repository_id: number;
  readonly branch: string;
  readonly hash: string;
  readonly parent: string | null;
  readonly author: string;
  readonly at: number;
  readonly subject: string;
  readonly seen_at: number;
}

export interface BuilderTable {
  readonly id: Generated<number>;
  readonly name: string;
  readonly position: number;
  readonly title: string;
  readonly group_name: string;
  readonly repository_id: number;
  readonly branch: string;
  readonly bots_json: string;
  readonly priority: number;
  readonly env_json: string;
  readonly properties_json: string;
  readonly secrets_json: string;
  readonly parameters_json: string;
  readonly keep_builds: Generated<number>;
  readonly keep_days: Generated<number>;
  /** Number of its newest build. */
  readonly last_number: Generated<number>;
  /** 1: no longer in the configuration; its builds stay. */
  readonly retired: Generated<number>;
}

export interface BuilderStepTable {
  readonly builder_id: number;
  /** From 1: the checkout is step 0 of every build. */
  readonly seq: number;
  readonly name: string;
  readonly step_json: string;
}

export interface SchedulerTable {
  readonly id: Generated<number>;
  readonly builder_id: number;
  readonly position: number;
  readonly kind: "change" | "periodic" | "nightly" | "dependent";
  readonly settings_json: string;
  /** Of `dependent`: a builder's name. */
  readonly upstream: string | null;
  /** Of `periodic` and `nightly`. */
  readonly next_at: number | null;
  /** The newest commit that its last build has seen, for `onlyWhenChanged`; 0: none. */
  readonly last_commit_id: Generated<number>;
}

/** Commits of one branch that wait until it has been quiet for long enough. */
export interface SchedulerChangeTable {
  readonly scheduler_id: number;
  readonly branch: string;
  /** The newest of them. */
  readonly commit_id: number;
  readonly commits: number;
  readonly due_at: number;
}

export interface RequestTable {
  readonly id: Generated<number>;
  readonly builder_id: number;
  readonly branch: string;
  readonly revision: string | null;
  readonly reason: string;
  readonly priority: number;
  readonly properties_json: string;
  /** What made it, once and for all: a second one with the same cause is not made. */
  readonly cause: string | null;
  /** 1: while it is pending, a newer commit of its branch takes its place in it. */
  readonly merges: Generated<number>;
  readonly state: "pending" | "claimed" | "complete";
  readonly results: Results | null;
  readonly submitted_at: number;
  readonly submitted_by: string;
  readonly claimed_by: string | null;
  readonly complete_at: number | null;
  /** The build that counts. */
  readonly build_id: number | null;
  /** Why it was taken out of the queue. */
  readonly cancel_reason: string | null;
}

export interface BuildTable {
  readonly id: Generated<number>;
  readonly request_id: number;
  readonly builder_id: number;
  readonly number: number;
  readonly bot: string;
  readonly incarnation: string;
  readonly branch: string;
  readonly revision: string;
  readonly subject: string;
  readonly author: string;
  readonly reason: string;
  readonly state: "running" | "finished";
  /** 1: its bot has said so; before, the order may be given once more. */
  readonly began: Generated<number>;
  /** 1: taken from its bot, which writes no more. */
  readonly lost: Generated<number>;
  readonly results: Results | null;
  readonly summary: string;
  readonly started_at: number;
  readonly finished_at: number | null;
  readonly cancel_reason: string | null;
  readonly properties_json: string;
  /** The contracts' BuildOrder, as it was given. */
  readonly order_json: string;
}

export interface BuildStepTable {
  readonly build_id: number;
  readonly seq: number;
  readonly name: string;
  readonly state: "waiting" | "running" | "finished";
  readonly results: Results | null;
  readonly started_at: number | null;
  readonly finished_at: number | null;
  readonly exit_code: number | null;
  readonly summary: string;
  readonly log_bytes: number;
  readonly log_lines: number;
}

export interface TestTable {
  readonly id: Generated<number>;
  readonly build_id: number;
  readonly builder_id: number;
  readonly step: number;
  readonly suite: string;
  readonly name: string;
  readonly state: (typeof TEST_STATES)[number];
  readonly duration_ms: number | null;
  readonly message: string | null;
}

/** Parts of a build's tests that have come: the same one again is none. */
export interface TestPartTable {
  readonly build_id: number;
  readonly part: number;
}

export interface ArtefactTable {
  readonly id: Generated<number>;
  readonly build_id: number;
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly at: number;
}

export interface BotTable {
  readonly id: Generated<number>;
  readonly name: string;
  /** What its session proves that it is this bot: made by the server's `auth`, which alone knows in what form it stands here. */
  readonly secret: string;
  readonly max_builds: number;
  readonly incarnation: string | null;
  readonly last_seen_at: number | null;
  readonly paused: Generated<number>;
  readonly about_json: string;
  readonly created_at: number;
}

export interface UserTable {
  readonly id: Generated<number>;
  readonly name: string;
  readonly role: Role;
  /** SHA-256 of the token, in hexadecimal digits. */
  readonly token_hash: string;
  readonly created_at: number;
}

export interface ConfigurationTable {
  readonly version: number;
  readonly at: number;
  readonly author: string;
  readonly note: string;
  /** As it was written, with its comments. */
  readonly text: string;
}

/** What there is one of. */
export interface FactTable {
  readonly name: string;
  readonly value: string;
}
