-- Versions with a backbone of their own.

-- Bytes of backbone.safetensors in the version's folder; 0 for a version on weights of the store.
ALTER TABLE model_versions ADD COLUMN backbone_size_bytes INTEGER NOT NULL DEFAULT 0;
