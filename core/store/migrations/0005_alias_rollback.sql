-- What a rollback of an alias returns to.

-- back is the sequence of the move whose version was there before, 0 for none: a move by hand or by a publication has
-- the move before it, a rollback takes over what its target had. So rollbacks in a row go ever further back.
ALTER TABLE model_alias_history ADD COLUMN back INTEGER NOT NULL DEFAULT 0;
ALTER TABLE model_alias_history ADD COLUMN is_rollback INTEGER NOT NULL DEFAULT 0;

CREATE INDEX model_alias_history_by_alias ON model_alias_history (model, alias, sequence);

UPDATE model_alias_history SET back = COALESCE(
  (SELECT MAX(earlier.sequence) FROM model_alias_history AS earlier
   WHERE earlier.model = model_alias_history.model AND earlier.alias = model_alias_history.alias
     AND earlier.sequence < model_alias_history.sequence), 0);
