-- Where the bytes with a digest lie: `size` bytes at `offset` of segments/<segment>.seg. A row exists only for bytes
-- that were synced before.
CREATE TABLE blobs (
  sha256 TEXT NOT NULL PRIMARY KEY,
  segment TEXT NOT NULL,
  offset INTEGER NOT NULL,
  size INTEGER NOT NULL
) WITHOUT ROWID;
