-- Splits of k-fold cross-validation: `folds` folds, of which number `fold`, from 1, is the test split; 0 and 0 for a split
-- without folds. The primary key grows, so the table is made anew.
CREATE TABLE dataset_splits_with_folds (
  version_id INTEGER NOT NULL REFERENCES dataset_versions (id),
  train_fraction TEXT NOT NULL,
  validation_fraction TEXT NOT NULL,
  seed INTEGER NOT NULL,
  folds INTEGER NOT NULL,
  fold INTEGER NOT NULL,
  hash TEXT NOT NULL,
  assignment TEXT NOT NULL,
  PRIMARY KEY (version_id, train_fraction, validation_fraction, seed, folds, fold)
) WITHOUT ROWID;
INSERT INTO dataset_splits_with_folds
  SELECT version_id, train_fraction, validation_fraction, seed, 0, 0, hash, assignment FROM dataset_splits;
DROP TABLE dataset_splits;
ALTER TABLE dataset_splits_with_folds RENAME TO dataset_splits;
