-- Fine-tune jobs, the queue of them, and their events.

-- number is the order of submission. Times are microseconds since 1970, 0 when not yet. requested, spec, progress,
-- failure and result are JSON, the last two empty when there is none. The job is claimed while lease_until_us is in
-- the future, by the worker that attempt counts.
CREATE TABLE jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  request_id TEXT UNIQUE,
  state INTEGER NOT NULL,
  device TEXT NOT NULL,
  requested TEXT NOT NULL,
  spec TEXT NOT NULL,
  create_time_us INTEGER NOT NULL,
  start_time_us INTEGER NOT NULL DEFAULT 0,
  end_time_us INTEGER NOT NULL DEFAULT 0,
  progress TEXT NOT NULL DEFAULT '{}',
  last_sequence INTEGER NOT NULL DEFAULT 0,
  attempt INTEGER NOT NULL DEFAULT 0,
  worker TEXT NOT NULL DEFAULT '',
  lease_until_us INTEGER NOT NULL DEFAULT 0,
  cancel_requested INTEGER NOT NULL DEFAULT 0,
  failure TEXT NOT NULL DEFAULT '',
  result TEXT NOT NULL DEFAULT ''
);
CREATE INDEX jobs_by_state ON jobs (state, device, number);

-- position orders the events of all jobs as they committed: writers take turns, so no smaller one appears later.
CREATE TABLE job_events (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  job_number INTEGER NOT NULL REFERENCES jobs (number),
  sequence INTEGER NOT NULL,
  time_us INTEGER NOT NULL,
  body TEXT NOT NULL,
  UNIQUE (job_number, sequence)
);
