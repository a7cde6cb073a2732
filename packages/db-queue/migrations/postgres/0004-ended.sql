-- What an address has ended lately, newest first: statistics read that much and no more, whatever the others have ended.
CREATE INDEX rpc_command_ended ON rpc_command (address_id, finished_at) WHERE finished_at IS NOT NULL;
