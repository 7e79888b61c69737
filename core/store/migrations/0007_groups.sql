-- Photos of one group, as the upload gave it, stay on one side of a split; empty for none.
ALTER TABLE dataset_examples ADD COLUMN group_name TEXT NOT NULL DEFAULT '';
