-- What an address has ended lately, newest first: statistics read that much of it and no more, and all they want is in the index itself.
CREATE INDEX rpc_command_ended ON rpc_command (address_id, finished_at, state, attempts, claimed_at, not_before) WHERE finished_at IS NOT NULL;
