-- What the audit of a data set needs to know about each image, and what it found.

-- Of a decodable image; empty and 0 for those that an older program imported: they are decoded again when they come in
-- another upload. thumbnail is base64.
ALTER TABLE image_facts ADD COLUMN pixel_sha256 TEXT NOT NULL DEFAULT '';
ALTER TABLE image_facts ADD COLUMN perceptual_hash INTEGER NOT NULL DEFAULT 0;
ALTER TABLE image_facts ADD COLUMN thumbnail TEXT NOT NULL DEFAULT '';
ALTER TABLE image_facts ADD COLUMN brightness REAL NOT NULL DEFAULT 0;
ALTER TABLE image_facts ADD COLUMN sharpness REAL NOT NULL DEFAULT 0;

-- JSON; empty for a version of an older program until the same files are uploaded again.
ALTER TABLE dataset_versions ADD COLUMN audit TEXT NOT NULL DEFAULT '';
-- Files with the same number, from 1, show the same picture; 0 for none.
ALTER TABLE dataset_examples ADD COLUMN cluster INTEGER NOT NULL DEFAULT 0;
