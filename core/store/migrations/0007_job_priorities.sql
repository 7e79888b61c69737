-- The order of the queue, and how long jobs have been worked on.

-- priority: -1 low, 0 normal, 1 high. worked_us is the time that workers had the job, up to seen_us, when its worker last
-- wrote; 0 when none ever did.
ALTER TABLE jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN worked_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN seen_us INTEGER NOT NULL DEFAULT 0;

DROP INDEX jobs_by_state;
CREATE INDEX jobs_by_state ON jobs (state, device, priority DESC, number);
