-- Places in R2 to erase at due_at: those of a deleted document, and those of a document that is being stored, in case
-- its storing is interrupted. A document that has a row in `files` is never erased.
CREATE TABLE erasures (
  file_id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  due_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX erasures_due ON erasures (due_at);
