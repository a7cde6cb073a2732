-- Old commands are deleted state by state, as each has its time: those that are kept longer are not walked through for those that are not.
DROP INDEX rpc_command_finished;
CREATE INDEX rpc_command_finished ON rpc_command (state, finished_at) WHERE finished_at IS NOT NULL;
