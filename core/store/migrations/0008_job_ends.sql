-- How jobs end: asked to publish their best epoch, or after too many deaths of their workers.

-- deaths counts the attempts that ended without a word. lease_until_us is 0 while no worker has the job: once an attempt
-- gave it back. A past time is that of a worker that died.
ALTER TABLE jobs ADD COLUMN finish_requested INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;
