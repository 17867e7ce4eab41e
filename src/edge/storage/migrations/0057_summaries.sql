-- Summaries of segments by the operator's model (docs/MEMORY.md).
ALTER TABLE contexts ADD COLUMN summaries INTEGER NOT NULL DEFAULT 0;

-- text: NULL until it is made; tokens: of the text as a view shows it. faults: failed requests in a row; error: of the
-- last one, JSON. due_at: not to be asked for before; NULL: made, or failed for good. claim: token of the invocation
-- that asks for it.
CREATE TABLE context_summaries (
  segment_id TEXT PRIMARY KEY,
  context_id TEXT NOT NULL,
  text TEXT,
  model TEXT,
  tokens INTEGER NOT NULL DEFAULT 0,
  faults INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  due_at INTEGER,
  claim TEXT
) WITHOUT ROWID;
CREATE INDEX context_summaries_by_context ON context_summaries (context_id);
