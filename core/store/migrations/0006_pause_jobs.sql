-- Jobs that are to be queued again as soon as they have paused.
ALTER TABLE jobs ADD COLUMN resume_requested INTEGER NOT NULL DEFAULT 0;
