-- Commands for one agent alone have an index by agent, with those that have a key, and keep out of the one that claims walk through: of what waits for
-- an agent that is away each claim of the others looked at all.
DROP INDEX rpc_command_ready;
CREATE INDEX rpc_command_ready ON rpc_command (address_id, priority DESC, id)
  WHERE state = 'queued' AND delayed = 0 AND ordering_key IS NULL AND target_agent IS NULL;
DROP INDEX rpc_command_keyed;
CREATE INDEX rpc_command_special ON rpc_command
  (address_id, coalesce(target_agent, ''), (CASE WHEN ordering_key IS NULL THEN 0 ELSE 1 END), priority DESC, id)
  WHERE state = 'queued' AND delayed = 0 AND (ordering_key IS NOT NULL OR target_agent IS NOT NULL);
