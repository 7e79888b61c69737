-- Pausing, the order of the queue, time limits, and how attempts end.

-- resume_requested: to be queued again as soon as it has paused. finish_requested: the best epoch so far is to be
-- published. priority: -1 low, 0 normal, 1 high. worked_us is the time that workers had the job, up to seen_us, when its
-- worker last wrote; 0 when none ever did. deaths counts the attempts that ended without a word. lease_until_us is 0
-- while no worker has the job: before the first, and once an attempt gave it back. A past time is that of a worker that
-- died.
ALTER TABLE jobs ADD COLUMN resume_requested INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN finish_requested INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN worked_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN seen_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;

DROP INDEX jobs_by_state;
CREATE INDEX jobs_by_state ON jobs (state, device, priority DESC, number);
