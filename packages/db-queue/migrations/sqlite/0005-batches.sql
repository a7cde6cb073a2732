-- The last batch of events that the claim at hand has written, by the number that its agent gave it: one whose answer was lost comes again.
ALTER TABLE rpc_command ADD COLUMN last_batch INTEGER NOT NULL DEFAULT 0;
