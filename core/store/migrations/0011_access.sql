-- Who may use the server, and who changed what.

-- kind 1: a bearer token, `secret` is the SHA-256 of it; 2: a client certificate, `secret` is the name in it.
-- prefixes: of the data sets and models that it may use, one a line; empty: all. Times of 0: none.
CREATE TABLE principals (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind INTEGER NOT NULL,
  name TEXT NOT NULL,
  secret TEXT NOT NULL,
  role TEXT NOT NULL,
  prefixes TEXT NOT NULL,
  create_time_us INTEGER NOT NULL,
  expire_time_us INTEGER NOT NULL,
  revoke_time_us INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX principals_by_name ON principals (name) WHERE revoke_time_us = 0;
CREATE UNIQUE INDEX principals_by_secret ON principals (kind, secret) WHERE revoke_time_us = 0;

CREATE TABLE audit_log (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  time_us INTEGER NOT NULL,
  principal TEXT NOT NULL,
  action TEXT NOT NULL,
  resources TEXT NOT NULL,
  decision TEXT NOT NULL,
  request_id TEXT NOT NULL
);
CREATE TRIGGER audit_log_is_not_changed BEFORE UPDATE ON audit_log
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_log_is_not_cut BEFORE DELETE ON audit_log
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

-- principal: who submitted it.
ALTER TABLE jobs ADD COLUMN principal TEXT NOT NULL DEFAULT '';
