-- Commands that are not yet due have an index of their own and keep out of the one that claims walk through: a heap of them cost each claim a look at
-- all their entries. Who claims moves what has fallen due. A queued row is found in either way: not_before alone says whether it may start.
ALTER TABLE rpc_command ADD COLUMN delayed boolean NOT NULL DEFAULT false;
UPDATE rpc_command SET delayed = true WHERE state = 'queued' AND not_before > clock_timestamp();

DROP INDEX rpc_command_ready;
DROP INDEX rpc_command_delayed;
CREATE INDEX rpc_command_ready ON rpc_command (address_id, priority DESC, id, not_before) WHERE state = 'queued' AND NOT delayed;
CREATE INDEX rpc_command_delayed ON rpc_command (address_id, not_before) WHERE state = 'queued' AND delayed;
