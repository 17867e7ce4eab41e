-- Instances of Workflows that have ended and are to be deleted. workflow: the name of its binding.
CREATE TABLE ended_workflows (
  id TEXT PRIMARY KEY,
  workflow TEXT NOT NULL,
  ended_at INTEGER NOT NULL
) WITHOUT ROWID;
