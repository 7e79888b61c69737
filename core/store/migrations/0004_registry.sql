-- Immutable model versions and the aliases that point at them.

-- last_number only grows, so a number is never given out twice, whatever is deleted.
CREATE TABLE models (
  name TEXT NOT NULL PRIMARY KEY,
  last_number INTEGER NOT NULL
) WITHOUT ROWID;

-- folder is relative to the models folder and holds head.safetensors and manifest.json.
CREATE TABLE model_versions (
  model TEXT NOT NULL REFERENCES models (name),
  number INTEGER NOT NULL,
  create_time_us INTEGER NOT NULL,
  backbone TEXT NOT NULL,
  backbone_sha256 TEXT NOT NULL,
  head_sha256 TEXT NOT NULL,
  folder TEXT NOT NULL UNIQUE,
  job_id TEXT NOT NULL,
  manifest TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  PRIMARY KEY (model, number)
);

CREATE TABLE model_aliases (
  model TEXT NOT NULL,
  alias TEXT NOT NULL,
  number INTEGER NOT NULL,
  PRIMARY KEY (model, alias),
  FOREIGN KEY (model, number) REFERENCES model_versions (model, number)
) WITHOUT ROWID;

-- Every move of an alias, oldest first.
CREATE TABLE model_alias_history (
  sequence INTEGER PRIMARY KEY,
  model TEXT NOT NULL,
  alias TEXT NOT NULL,
  number INTEGER NOT NULL,
  time_us INTEGER NOT NULL
);
