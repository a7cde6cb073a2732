-- Commands with an ordering key have an index of their own and keep out of the one that claims walk through: of a backlog of one key only the first can
-- start, and each claim looked at all that come after it.
DROP INDEX rpc_command_ready;
CREATE INDEX rpc_command_ready ON rpc_command (address_id, priority DESC, id) WHERE state = 'queued' AND delayed = 0 AND ordering_key IS NULL;
CREATE INDEX rpc_command_keyed ON rpc_command (address_id, priority DESC, id) WHERE state = 'queued' AND delayed = 0 AND ordering_key IS NOT NULL;
-- In the order in which a claim goes from key to key.
DROP INDEX rpc_command_key;
CREATE INDEX rpc_command_key ON rpc_command (address_id, coalesce(target_agent, ''), ordering_key, id) WHERE state = 'queued' AND ordering_key IS NOT NULL;
-- Copies that an agent which is gone leaves behind are looked for again and again.
CREATE INDEX rpc_command_copies ON rpc_command (address_id, target_agent) WHERE state = 'queued' AND parent_id IS NOT NULL;
