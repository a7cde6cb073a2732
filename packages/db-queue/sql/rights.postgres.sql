-- Restricted rights on PostgreSQL: one login for each program, which may do no more than it has to, at the addresses that it has to do with.
--
-- Run it as the owner of the tables, after migrate() and again after each migration, with search_path at the schema of the queue:
--   PGOPTIONS='-c search_path=calls' psql -v ON_ERROR_STOP=1 -1 -f rights.postgres.sql "$DATABASE_URL"
-- Then, for each program:
--   CREATE ROLE bot_7 LOGIN PASSWORD '…' IN ROLE rpc_queue_agent;
--   INSERT INTO rpc_right (login, address, serves) VALUES ('bot_7', 'bot:7', true);
--   CREATE ROLE office LOGIN PASSWORD '…' IN ROLE rpc_queue_issuer;
--   INSERT INTO rpc_right (login, address, issues) VALUES ('office', 'bot:*', true);
-- A login may be in both roles. The owner of the tables is restricted by nothing, and stays the one who migrates. From now on all other logins see
-- only what a policy gives them.
--
-- What it cannot do: whoever is connected may LISTEN, and hears topics, which name addresses and numbers of commands, and may NOTIFY, which makes
-- others look. An issuer sees all commands of its addresses, also those of other issuers; a program that serves an address may end all of its commands.

SELECT set_config('search_path', format('%I, pg_temp', current_schema()), false);

DO $$
DECLARE
  role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['rpc_queue_issuer', 'rpc_queue_agent', 'rpc_queue_operator'] LOOP
    IF to_regrole(role) IS NULL THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role);
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), role);
  END LOOP;
END
$$;

-- An address, or all that begin so: bot:7, bot:*, *.
CREATE TABLE IF NOT EXISTS rpc_right (
  login   text NOT NULL,
  address text NOT NULL,
  issues  boolean NOT NULL DEFAULT false,
  serves  boolean NOT NULL DEFAULT false,
  PRIMARY KEY (login, address)
);

-- Addresses where whoever is connected may issue, may serve, or has to do with at all. Policies ask it once for a statement.
CREATE OR REPLACE FUNCTION rpc_addresses(wanted text) RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
  SELECT a.id FROM rpc_right r JOIN rpc_address a
      ON a.name = r.address OR right(r.address, 1) = '*' AND starts_with(a.name, left(r.address, -1))
   WHERE r.login = session_user
     AND CASE wanted WHEN 'issue' THEN r.issues WHEN 'serve' THEN r.serves ELSE r.issues OR r.serves END
$$;

ALTER TABLE rpc_address ENABLE ROW LEVEL SECURITY;
ALTER TABLE rpc_agent ENABLE ROW LEVEL SECURITY;
ALTER TABLE rpc_command ENABLE ROW LEVEL SECURITY;
ALTER TABLE rpc_command_event ENABLE ROW LEVEL SECURITY;

-- Addresses are locked by who inserts and who subscribes, which needs the right to update some column; the check lets no update through.
GRANT SELECT, UPDATE (created_at) ON rpc_address TO rpc_queue_issuer, rpc_queue_agent;
DROP POLICY IF EXISTS rpc_seen ON rpc_address;
CREATE POLICY rpc_seen ON rpc_address TO rpc_queue_issuer, rpc_queue_agent
  USING (id IN (SELECT rpc_addresses('any'))) WITH CHECK (false);

-- Who is there: issuers look (failFast, broadcast), agents come and go.
GRANT SELECT ON rpc_agent TO rpc_queue_issuer;
GRANT SELECT, INSERT, UPDATE, DELETE ON rpc_agent TO rpc_queue_agent;
DROP POLICY IF EXISTS rpc_seen ON rpc_agent;
CREATE POLICY rpc_seen ON rpc_agent FOR SELECT TO rpc_queue_issuer USING (address_id IN (SELECT rpc_addresses('issue')));
DROP POLICY IF EXISTS rpc_served ON rpc_agent;
CREATE POLICY rpc_served ON rpc_agent TO rpc_queue_agent USING (address_id IN (SELECT rpc_addresses('serve')));

-- Neither may change what was called. An issuer cannot claim; what it may update is what it needs to cancel, and to reap while it waits.
GRANT SELECT, INSERT, DELETE ON rpc_command TO rpc_queue_issuer;
GRANT UPDATE (state, not_before, delayed, lease_until, claim_token, cancel_requested_at, cancel_reason, finished_at, result, error)
  ON rpc_command TO rpc_queue_issuer;
GRANT SELECT, DELETE ON rpc_command TO rpc_queue_agent;
GRANT UPDATE (state, attempts, not_before, delayed, lease_until, claim_token, agent_name, agent_incarnation, claimed_at, finished_at, result, error,
  progress, last_event, last_batch) ON rpc_command TO rpc_queue_agent;
GRANT USAGE ON SEQUENCE rpc_command_id_seq TO rpc_queue_issuer;
DROP POLICY IF EXISTS rpc_issued ON rpc_command;
CREATE POLICY rpc_issued ON rpc_command TO rpc_queue_issuer USING (address_id IN (SELECT rpc_addresses('issue')));
DROP POLICY IF EXISTS rpc_served ON rpc_command;
CREATE POLICY rpc_served ON rpc_command TO rpc_queue_agent USING (address_id IN (SELECT rpc_addresses('serve')));

-- Events are seen with their command, whose own policies decide.
GRANT SELECT ON rpc_command_event TO rpc_queue_issuer;
GRANT SELECT, INSERT ON rpc_command_event TO rpc_queue_agent;
DROP POLICY IF EXISTS rpc_seen ON rpc_command_event;
CREATE POLICY rpc_seen ON rpc_command_event TO rpc_queue_issuer, rpc_queue_agent
  USING (EXISTS (SELECT 1 FROM rpc_command c WHERE c.id = command_id));

-- Operators: everything at all addresses but the tables themselves, and who may what.
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['rpc_address', 'rpc_agent', 'rpc_command', 'rpc_command_event'] LOOP
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO rpc_queue_operator', name);
    EXECUTE format('DROP POLICY IF EXISTS rpc_operated ON %I', name);
    EXECUTE format('CREATE POLICY rpc_operated ON %I TO rpc_queue_operator USING (true)', name);
  END LOOP;
END
$$;
GRANT USAGE ON SEQUENCE rpc_address_id_seq, rpc_command_id_seq TO rpc_queue_operator;
GRANT SELECT ON rpc_migration TO rpc_queue_operator, rpc_queue_issuer, rpc_queue_agent;
