-- Columns
rpc_address.id bigint NOT NULL IDENTITY
rpc_address.name text NOT NULL
rpc_address.paused boolean NOT NULL DEFAULT false
rpc_address.created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
rpc_agent.address_id bigint NOT NULL
rpc_agent.name text NOT NULL
rpc_agent.incarnation text NOT NULL
rpc_agent.methods json
rpc_agent.concurrency integer NOT NULL DEFAULT 1
rpc_agent.started_at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
rpc_agent.last_seen timestamp with time zone NOT NULL DEFAULT clock_timestamp()
rpc_command.id bigint NOT NULL IDENTITY
rpc_command.address_id bigint NOT NULL
rpc_command.parent_id bigint
rpc_command.method text NOT NULL
rpc_command.args json NOT NULL DEFAULT '[]'::json
rpc_command.kwargs json NOT NULL DEFAULT '{}'::json
rpc_command.meta json NOT NULL DEFAULT '{}'::json
rpc_command.state text NOT NULL DEFAULT 'queued'::text
rpc_command.priority smallint NOT NULL DEFAULT 0
rpc_command.ordering_key text
rpc_command.idempotency_key text
rpc_command.target_agent text
rpc_command.notification boolean NOT NULL DEFAULT false
rpc_command.attempts smallint NOT NULL DEFAULT 0
rpc_command.max_attempts smallint NOT NULL DEFAULT 1
rpc_command.not_before timestamp with time zone NOT NULL DEFAULT clock_timestamp()
rpc_command.expires_at timestamp with time zone
rpc_command.lease_until timestamp with time zone
rpc_command.claim_token uuid
rpc_command.agent_name text
rpc_command.agent_incarnation text
rpc_command.cancel_requested_at timestamp with time zone
rpc_command.cancel_reason text
rpc_command.created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
rpc_command.created_by text
rpc_command.claimed_at timestamp with time zone
rpc_command.finished_at timestamp with time zone
rpc_command.result json
rpc_command.error json
rpc_command.progress json
rpc_command.last_event integer NOT NULL DEFAULT 0
rpc_command.delayed boolean NOT NULL DEFAULT false
rpc_command.last_batch integer NOT NULL DEFAULT 0
rpc_command_event.command_id bigint NOT NULL
rpc_command_event.seq integer NOT NULL
rpc_command_event.at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
rpc_command_event.kind text NOT NULL
rpc_command_event.data json NOT NULL
rpc_migration.number integer NOT NULL
rpc_migration.name text NOT NULL
rpc_migration.checksum text NOT NULL
rpc_migration.applied_at timestamp with time zone NOT NULL DEFAULT clock_timestamp()

-- Options
rpc_command WITH (autovacuum_vacuum_scale_factor=0.01, autovacuum_vacuum_threshold=5000, autovacuum_analyze_scale_factor=0.05)

-- Constraints
rpc_address CHECK (((name <> ''::text) AND (length(name) <= 200)))
rpc_address PRIMARY KEY (id)
rpc_address UNIQUE (name)
rpc_agent FOREIGN KEY (address_id) REFERENCES rpc_address(id) ON DELETE CASCADE
rpc_agent PRIMARY KEY (address_id, name)
rpc_command CHECK ((max_attempts >= 1))
rpc_command CHECK ((state = ANY (ARRAY['queued'::text, 'waiting'::text, 'claimed'::text, 'done'::text, 'failed'::text, 'expired'::text, 'cancelled'::text])))
rpc_command FOREIGN KEY (parent_id) REFERENCES rpc_command(id) ON DELETE CASCADE
rpc_command PRIMARY KEY (id)
rpc_command_event FOREIGN KEY (command_id) REFERENCES rpc_command(id) ON DELETE CASCADE
rpc_command_event PRIMARY KEY (command_id, seq)
rpc_migration PRIMARY KEY (number)

-- Indexes
CREATE UNIQUE INDEX rpc_address_name_key ON public.rpc_address USING btree (name)
CREATE UNIQUE INDEX rpc_address_pkey ON public.rpc_address USING btree (id)
CREATE UNIQUE INDEX rpc_agent_pkey ON public.rpc_agent USING btree (address_id, name)
CREATE INDEX rpc_command_copies ON public.rpc_command USING btree (address_id, target_agent) WHERE ((state = 'queued'::text) AND (parent_id IS NOT NULL))
CREATE INDEX rpc_command_delayed ON public.rpc_command USING btree (address_id, not_before) WHERE ((state = 'queued'::text) AND delayed)
CREATE INDEX rpc_command_ended ON public.rpc_command USING btree (address_id, finished_at) WHERE (finished_at IS NOT NULL)
CREATE UNIQUE INDEX rpc_command_event_pkey ON public.rpc_command_event USING btree (command_id, seq)
CREATE INDEX rpc_command_expiry ON public.rpc_command USING btree (expires_at) WHERE ((state = 'queued'::text) AND (expires_at IS NOT NULL))
CREATE INDEX rpc_command_finished ON public.rpc_command USING btree (state, finished_at) WHERE (finished_at IS NOT NULL)
CREATE UNIQUE INDEX rpc_command_idempotency ON public.rpc_command USING btree (address_id, idempotency_key) WHERE (idempotency_key IS NOT NULL)
CREATE INDEX rpc_command_key ON public.rpc_command USING btree (address_id, COALESCE(target_agent, ''::text), ordering_key, id) WHERE ((state = 'queued'::text) AND (ordering_key IS NOT NULL))
CREATE INDEX rpc_command_lease ON public.rpc_command USING btree (lease_until) WHERE (state = 'claimed'::text)
CREATE UNIQUE INDEX rpc_command_one_per_key ON public.rpc_command USING btree (address_id, ordering_key, COALESCE(target_agent, ''::text)) WHERE ((state = 'claimed'::text) AND (ordering_key IS NOT NULL))
CREATE INDEX rpc_command_parent ON public.rpc_command USING btree (parent_id) WHERE (parent_id IS NOT NULL)
CREATE UNIQUE INDEX rpc_command_pkey ON public.rpc_command USING btree (id)
CREATE INDEX rpc_command_ready ON public.rpc_command USING btree (address_id, priority DESC, id, not_before) WHERE ((state = 'queued'::text) AND (NOT delayed) AND (ordering_key IS NULL) AND (target_agent IS NULL))
CREATE INDEX rpc_command_special ON public.rpc_command USING btree (address_id, COALESCE(target_agent, ''::text), (
CASE
    WHEN (ordering_key IS NULL) THEN 0
    ELSE 1
END), priority DESC, id, not_before) WHERE ((state = 'queued'::text) AND (NOT delayed) AND ((ordering_key IS NOT NULL) OR (target_agent IS NOT NULL)))
CREATE INDEX rpc_command_undone ON public.rpc_command USING btree (state, id) WHERE (state = ANY (ARRAY['failed'::text, 'expired'::text, 'cancelled'::text]))
CREATE INDEX rpc_command_waiting ON public.rpc_command USING btree (address_id) WHERE (state = 'waiting'::text)
CREATE UNIQUE INDEX rpc_migration_pkey ON public.rpc_migration USING btree (number)

-- Functions
CREATE OR REPLACE FUNCTION public.rpc_command_changed()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
BEGIN
  PERFORM rpc_wake(topics) FROM (
    SELECT array_agg(topic) AS topics FROM (
      SELECT 'command on: ' || a.name AS topic FROM rpc_address a WHERE a.id IN (
        SELECT n.address_id FROM now_so n JOIN before_so o USING (id)
         WHERE n.state = 'queued' AND (o.state <> 'queued' OR n.not_before < o.not_before)
            -- The next one of its key can start now.
            OR n.ordering_key IS NOT NULL AND n.state <> o.state AND n.state IN ('done', 'failed', 'expired', 'cancelled'))
      UNION ALL
      SELECT 'result of: ' || n.id FROM now_so n JOIN before_so o USING (id)
       WHERE n.state IN ('done', 'failed', 'expired', 'cancelled') AND n.state <> o.state
      UNION ALL
      SELECT 'cancel of: ' || n.id FROM now_so n JOIN before_so o USING (id)
       WHERE n.state = 'claimed' AND n.cancel_requested_at IS NOT NULL AND o.cancel_requested_at IS NULL
    ) AS each_topic) AS found WHERE topics IS NOT NULL;
  RETURN NULL;
END
$function$
CREATE OR REPLACE FUNCTION public.rpc_command_ended(unwanted bigint[], parents bigint[], wake boolean)
 RETURNS bigint
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
DECLARE
  parent rpc_command;
  ended text[] := '{}';
BEGIN
  FOR parent IN SELECT * FROM rpc_command WHERE id = ANY (parents) AND state = 'waiting' ORDER BY id FOR UPDATE LOOP
    IF EXISTS (SELECT 1 FROM rpc_command WHERE parent_id = parent.id AND state IN ('queued', 'claimed')) THEN
      CONTINUE;
    END IF;
    UPDATE rpc_command SET
      state = CASE WHEN parent.cancel_requested_at IS NULL THEN 'done' ELSE 'cancelled' END,
      finished_at = clock_timestamp(),
      result = (SELECT ('[' || coalesce(string_agg(
          '{"agent":' || to_json(c.target_agent) || ',"id":' || c.id || ',"state":"' || c.state || '"'
          || coalesce(',"result":' || c.result, '') || coalesce(',"error":' || c.error, '') || '}', ',' ORDER BY c.target_agent), '') || ']')::json
        FROM rpc_command c WHERE c.parent_id = parent.id)
      WHERE id = parent.id;
    ended := ended || ('result of: ' || parent.id);
    IF parent.notification THEN
      unwanted := unwanted || parent.id;
    END IF;
  END LOOP;
  DELETE FROM rpc_command WHERE id = ANY (unwanted);
  IF wake AND ended <> '{}' THEN
    PERFORM rpc_wake(ended);
  END IF;
  RETURN cardinality(ended);
END
$function$
CREATE OR REPLACE FUNCTION public.rpc_command_inserted()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
BEGIN
  PERFORM rpc_wake(topics) FROM (
    SELECT array_agg('command on: ' || name) AS topics FROM rpc_address
     WHERE id IN (SELECT address_id FROM inserted WHERE state = 'queued')) AS found WHERE topics IS NOT NULL;
  RETURN NULL;
END
$function$
CREATE OR REPLACE FUNCTION public.rpc_wake(topics text[])
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
DECLARE
  list text := (SELECT string_agg(coalesce(to_json(topic)::text, 'null'), ',') FROM unnest(topics) AS topic);
  part text;
BEGIN
  IF octet_length(list) <= 7900 THEN
    PERFORM pg_notify('rpc_wake_' || current_schema(), '[' || list || ']');
  ELSIF list IS NOT NULL THEN
    -- A part is as much as fits with the longest topic after it.
    FOR part IN
      SELECT string_agg(one, ',') FROM (
        SELECT one, sum(octet_length(one) + 1) OVER (ROWS UNBOUNDED PRECEDING) / 5900 AS n
          FROM (SELECT coalesce(to_json(topic)::text, 'null') AS one FROM unnest(topics) AS topic) AS each_one) AS numbered GROUP BY n
    LOOP
      PERFORM pg_notify('rpc_wake_' || current_schema(), '[' || part || ']');
    END LOOP;
  END IF;
  RETURN cardinality(topics);
END
$function$

-- Triggers, with notify: trigger alone
CREATE TRIGGER rpc_command_changed AFTER UPDATE ON public.rpc_command REFERENCING OLD TABLE AS before_so NEW TABLE AS now_so FOR EACH STATEMENT EXECUTE FUNCTION rpc_command_changed()
CREATE TRIGGER rpc_command_inserted AFTER INSERT ON public.rpc_command REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION rpc_command_inserted()
