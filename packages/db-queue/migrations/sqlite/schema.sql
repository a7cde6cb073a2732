CREATE TABLE rpc_address (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT NOT NULL UNIQUE CHECK (name <> '' AND length(name) <= 200),
  paused     INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE rpc_agent (
  address_id   INTEGER NOT NULL REFERENCES rpc_address ON DELETE CASCADE,
  name         TEXT NOT NULL,
  incarnation  TEXT NOT NULL,
  methods      TEXT,
  concurrency  INTEGER NOT NULL DEFAULT 1,
  started_at   INTEGER NOT NULL,
  last_seen    INTEGER NOT NULL,
  PRIMARY KEY (address_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE rpc_command (
  id                  INTEGER PRIMARY KEY AUTOINCREMENT,
  address_id          INTEGER NOT NULL REFERENCES rpc_address ON DELETE CASCADE,
  parent_id           INTEGER REFERENCES rpc_command ON DELETE CASCADE,
  method              TEXT NOT NULL,
  args                TEXT NOT NULL DEFAULT '[]',
  kwargs              TEXT NOT NULL DEFAULT '{}',
  meta                TEXT NOT NULL DEFAULT '{}',
  -- Not IN: a list of more than two is built anew, as a table, whenever a row is written (3 µs of 12).
  state               TEXT NOT NULL DEFAULT 'queued' CHECK (state = 'queued' OR state = 'claimed' OR state = 'done' OR state = 'waiting' OR
                      state = 'failed' OR state = 'expired' OR state = 'cancelled'),
  priority            INTEGER NOT NULL DEFAULT 0,
  ordering_key        TEXT,
  idempotency_key     TEXT,
  target_agent        TEXT,
  notification        INTEGER NOT NULL DEFAULT 0 CHECK (notification IN (0, 1)),
  attempts            INTEGER NOT NULL DEFAULT 0,
  max_attempts        INTEGER NOT NULL DEFAULT 1 CHECK (max_attempts >= 1),
  not_before          INTEGER NOT NULL,
  -- Not yet due when somebody last looked. Keeps a heap of delayed commands out of the index that claims walk through.
  delayed             INTEGER NOT NULL DEFAULT 0 CHECK (delayed IN (0, 1)),
  expires_at          INTEGER,
  lease_until         INTEGER,
  claim_token         TEXT,
  agent_name          TEXT,
  agent_incarnation   TEXT,
  cancel_requested_at INTEGER,
  cancel_reason       TEXT,
  created_at          INTEGER NOT NULL,
  created_by          TEXT,
  claimed_at          INTEGER,
  finished_at         INTEGER,
  result              TEXT,
  error               TEXT,
  progress            TEXT
, last_batch INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE INDEX rpc_command_copies ON rpc_command (address_id, target_agent) WHERE state = 'queued' AND parent_id IS NOT NULL;

CREATE INDEX rpc_command_delayed ON rpc_command (address_id, not_before) WHERE state = 'queued' AND delayed = 1;

CREATE INDEX rpc_command_ended ON rpc_command (address_id, finished_at, state, attempts, claimed_at, not_before) WHERE finished_at IS NOT NULL;

CREATE INDEX rpc_command_expiry ON rpc_command (expires_at) WHERE state = 'queued' AND expires_at IS NOT NULL;

CREATE INDEX rpc_command_finished ON rpc_command (state, finished_at) WHERE finished_at IS NOT NULL;

CREATE UNIQUE INDEX rpc_command_idempotency ON rpc_command (address_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE INDEX rpc_command_key ON rpc_command (address_id, coalesce(target_agent, ''), ordering_key, id) WHERE state = 'queued' AND ordering_key IS NOT NULL;

CREATE INDEX rpc_command_lease ON rpc_command (lease_until) WHERE state = 'claimed';

CREATE UNIQUE INDEX rpc_command_one_per_key
  ON rpc_command (address_id, ordering_key, coalesce(target_agent, '')) WHERE state = 'claimed' AND ordering_key IS NOT NULL;

CREATE INDEX rpc_command_parent ON rpc_command (parent_id) WHERE parent_id IS NOT NULL;

CREATE INDEX rpc_command_ready ON rpc_command (address_id, priority DESC, id)
  WHERE state = 'queued' AND delayed = 0 AND ordering_key IS NULL AND target_agent IS NULL;

CREATE INDEX rpc_command_special ON rpc_command
  (address_id, coalesce(target_agent, ''), (CASE WHEN ordering_key IS NULL THEN 0 ELSE 1 END), priority DESC, id)
  WHERE state = 'queued' AND delayed = 0 AND (ordering_key IS NOT NULL OR target_agent IS NOT NULL);

CREATE INDEX rpc_command_undone ON rpc_command (state, id) WHERE finished_at IS NOT NULL AND state <> 'done';

CREATE INDEX rpc_command_waiting ON rpc_command (address_id) WHERE state = 'waiting';

CREATE TABLE rpc_command_event (
  command_id INTEGER NOT NULL REFERENCES rpc_command ON DELETE CASCADE,
  seq        INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  kind       TEXT NOT NULL,
  data       TEXT NOT NULL,
  PRIMARY KEY (command_id, seq)
) STRICT;

CREATE TABLE rpc_migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT;

CREATE TABLE rpc_wake (
  id        INTEGER PRIMARY KEY CHECK (id = 1),
  published INTEGER NOT NULL
) STRICT;
