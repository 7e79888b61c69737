-- Data set versions, their photos, and what is known about every image ever imported.

-- digest is SHA-256 over the sorted list of (path, label, split, image digest) of all uploaded files.
CREATE TABLE dataset_versions (
  id INTEGER PRIMARY KEY,
  dataset TEXT NOT NULL,
  number INTEGER NOT NULL,
  create_time_us INTEGER NOT NULL,
  digest TEXT NOT NULL,
  image_count INTEGER NOT NULL,
  quarantined_count INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  UNIQUE (dataset, number)
);

-- position is the class index.
CREATE TABLE dataset_labels (
  version_id INTEGER NOT NULL REFERENCES dataset_versions (id),
  position INTEGER NOT NULL,
  label TEXT NOT NULL,
  image_count INTEGER NOT NULL,
  PRIMARY KEY (version_id, position)
) WITHOUT ROWID;

-- position counts the decodable photos in the order of their paths, and split assignments refer to it.
CREATE TABLE dataset_examples (
  version_id INTEGER NOT NULL REFERENCES dataset_versions (id),
  position INTEGER NOT NULL,
  path TEXT NOT NULL,
  label_position INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  given_split INTEGER NOT NULL,
  PRIMARY KEY (version_id, position)
) WITHOUT ROWID;

CREATE TABLE dataset_quarantined (
  version_id INTEGER NOT NULL REFERENCES dataset_versions (id),
  position INTEGER NOT NULL,
  path TEXT NOT NULL,
  label TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (version_id, position)
) WITHOUT ROWID;

-- An image is decoded once, whatever the number of data sets it is in. error is empty for an image that decodes.
CREATE TABLE image_facts (
  sha256 TEXT NOT NULL PRIMARY KEY,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  format TEXT NOT NULL,
  error TEXT NOT NULL
) WITHOUT ROWID;

-- assignment has one character for each example, in order: t train, v validation, e test. Fractions are kept as
-- text that reads back to the same double.
CREATE TABLE dataset_splits (
  version_id INTEGER NOT NULL REFERENCES dataset_versions (id),
  train_fraction TEXT NOT NULL,
  validation_fraction TEXT NOT NULL,
  seed INTEGER NOT NULL,
  hash TEXT NOT NULL,
  assignment TEXT NOT NULL,
  PRIMARY KEY (version_id, train_fraction, validation_fraction, seed)
) WITHOUT ROWID;
