import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";
import type { Kind } from "../dialect.ts";

/** `text` and `bigint` are known to both databases; only an id that counts by itself is said in two ways. */
export function begin(kind: Kind): Migration {
  const id =
    kind === "sqlite" ? "integer primary key autoincrement" : "bigint generated always as identity primary key";
  return {
    async up(db: Kysely<unknown>): Promise<void> {
      for (const statement of statements(id)) await sql.raw(statement).execute(db);
    },
  };
}

const statements = (id: string): string[] => [
  `create table repositories (
    id ${id},
    name text not null unique,
    position bigint not null,
    url text not null,
    branches_json text not null,
    poll_seconds bigint not null,
    webhook_secret text,
    polled_at bigint,
    problem text,
    retired bigint not null default 0
  )`,
  `create table heads (
    repository_id bigint not null references repositories (id),
    branch text not null,
    hash text not null,
    primary key (repository_id, branch)
  )`,
  `create table commits (
    id ${id},
    repository_id bigint not null references repositories (id),
    branch text not null,
    hash text not null,
    parent text,
    author text not null,
    at bigint not null,
    subject text not null,
    seen_at bigint not null
  )`,
  `create unique index commits_once on commits (repository_id, hash, branch)`,
  `create index commits_newest on commits (repository_id, id)`,
  `create index commits_of_branch on commits (repository_id, branch, id)`,
  `create table builders (
    id ${id},
    name text not null unique,
    position bigint not null,
    title text not null,
    group_name text not null,
    repository_id bigint not null references repositories (id),
    branch text not null,
    bots_json text not null,
    priority bigint not null,
    env_json text not null,
    properties_json text not null,
    secrets_json text not null,
    parameters_json text not null,
    last_number bigint not null default 0,
    retired bigint not null default 0
  )`,
  `create table builder_steps (
    builder_id bigint not null references builders (id),
    seq bigint not null,
    name text not null,
    step_json text not null,
    primary key (builder_id, seq)
  )`,
  `create table schedulers (
    id ${id},
    builder_id bigint not null references builders (id),
    position bigint not null,
    kind text not null check (kind in ('change', 'periodic', 'nightly', 'dependent')),
    settings_json text not null,
    upstream text,
    next_at bigint,
    last_commit_id bigint not null default 0
  )`,
  `create index schedulers_of_builder on schedulers (builder_id)`,
  `create index schedulers_due on schedulers (next_at) where next_at is not null`,
  `create table scheduler_changes (
    scheduler_id bigint not null references schedulers (id) on delete cascade,
    branch text not null,
    commit_id bigint not null references commits (id),
    commits bigint not null,
    due_at bigint not null,
    primary key (scheduler_id, branch)
  )`,
  `create table requests (
    id ${id},
    builder_id bigint not null references builders (id),
    branch text not null,
    revision text,
    reason text not null,
    priority bigint not null,
    properties_json text not null,
    cause text unique,
    merges bigint not null default 0,
    state text not null check (state in ('pending', 'claimed', 'complete')),
    results text,
    submitted_at bigint not null,
    submitted_by text not null,
    claimed_by text,
    complete_at bigint,
    build_id bigint
  )`,
  `create index requests_pending on requests (priority desc, id) where state = 'pending'`,
  `create index requests_pending_of_builder on requests (builder_id, id) where state = 'pending'`,
  `create index requests_of_builder on requests (builder_id, id)`,
  `create table builds (
    id ${id},
    request_id bigint not null references requests (id),
    builder_id bigint not null references builders (id),
    number bigint not null,
    bot text not null,
    incarnation text not null,
    branch text not null,
    revision text not null,
    subject text not null,
    author text not null,
    reason text not null,
    state text not null check (state in ('running', 'finished')),
    began bigint not null default 0,
    lost bigint not null default 0,
    results text,
    summary text not null,
    started_at bigint not null,
    finished_at bigint,
    cancel_reason text,
    properties_json text not null,
    order_json text not null
  )`,
  `create unique index builds_number on builds (builder_id, number)`,
  `create index builds_of_builder on builds (builder_id, id)`,
  `create index builds_of_request on builds (request_id)`,
  `create index builds_of_bot on builds (bot, id)`,
  `create index builds_of_branch on builds (branch, id)`,
  `create index builds_by_results on builds (results, id)`,
  `create index builds_of_revision on builds (revision, id)`,
  `create index builds_running on builds (bot) where state = 'running'`,
  `create index builds_by_end on builds (finished_at)`,
  `create table build_steps (
    build_id bigint not null references builds (id),
    seq bigint not null,
    name text not null,
    state text not null check (state in ('waiting', 'running', 'finished')),
    results text,
    started_at bigint,
    finished_at bigint,
    exit_code bigint,
    summary text not null,
    log_bytes bigint not null,
    log_lines bigint not null,
    primary key (build_id, seq)
  )`,
  `create table tests (
    id ${id},
    build_id bigint not null references builds (id),
    builder_id bigint not null references builders (id),
    step bigint not null,
    suite text not null,
    name text not null,
    state text not null check (state in ('pass', 'fail', 'error', 'skip')),
    duration_ms double precision,
    message text
  )`,
  `create index tests_of_build on tests (build_id, state, id)`,
  `create index tests_by_name on tests (builder_id, name, suite, build_id)`,
  `create table test_parts (
    build_id bigint not null references builds (id),
    part bigint not null,
    primary key (build_id, part)
  )`,
  `create table artefacts (
    id ${id},
    build_id bigint not null references builds (id),
    name text not null,
    bytes bigint not null,
    sha256 text not null,
    at bigint not null,
    unique (build_id, name)
  )`,
  `create table bots (
    id ${id},
    name text not null unique,
    secret text not null,
    max_builds bigint not null,
    incarnation text,
    last_seen_at bigint,
    paused bigint not null default 0,
    about_json text not null,
    created_at bigint not null
  )`,
  `create table users (
    id ${id},
    name text not null unique,
    role text not null check (role in ('viewer', 'developer', 'admin')),
    token_hash text not null unique,
    created_at bigint not null
  )`,
  `create table configurations (
    version bigint primary key,
    at bigint not null,
    author text not null,
    note text not null,
    text text not null
  )`,
  `create table facts (name text primary key, value text not null)`,
];
