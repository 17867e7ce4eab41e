-- Contexts (optical memory). ladder, metadata: JSON. last_number: number of the last message; messages are numbered
-- from 1. due_at: when the sweep ages or erases it; NULL: not before it changes. leased_until: end of the lease of the
-- invocation that ages it. error: why the last step of ageing failed.
CREATE TABLE contexts (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  key_id TEXT NOT NULL,
  name TEXT,
  ladder TEXT NOT NULL,
  token_budget INTEGER,
  keep TEXT NOT NULL,
  metadata TEXT NOT NULL,
  last_number INTEGER NOT NULL DEFAULT 0,
  due_at INTEGER,
  leased_until INTEGER,
  error TEXT,
  created_at INTEGER NOT NULL,
  aged_at INTEGER,
  deleted_at INTEGER
);
CREATE INDEX contexts_by_tenant ON contexts (tenant_id, id);
CREATE INDEX contexts_due ON contexts (due_at) WHERE due_at IS NOT NULL;

-- item_id: the image that contains the message; NULL: it is text. next_item_id: the image that is being made from it.
-- erased: its text is deleted. recall: quality of its last reading as JSON, without the text.
CREATE TABLE context_messages (
  context_id TEXT NOT NULL,
  number INTEGER NOT NULL,
  role TEXT NOT NULL,
  pinned INTEGER NOT NULL,
  importance REAL NOT NULL,
  text_tokens INTEGER NOT NULL,
  characters INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  item_id TEXT,
  next_item_id TEXT,
  erased INTEGER NOT NULL DEFAULT 0,
  recall TEXT,
  PRIMARY KEY (context_id, number)
) WITHOUT ROWID;

-- An image. pages: its pages; each is a file. state: making, ready. sources: while it is being made, the documents to
-- render and their jobs; afterwards, those that are still to be erased.
CREATE TABLE context_items (
  id TEXT PRIMARY KEY,
  context_id TEXT NOT NULL,
  form TEXT NOT NULL,
  state TEXT NOT NULL,
  replaces TEXT,
  sources TEXT NOT NULL,
  pages TEXT NOT NULL DEFAULT '[]',
  created_at INTEGER NOT NULL
);
CREATE INDEX context_items_by_context ON context_items (context_id);

-- The context that owns a document. Such a document is not listed, cannot be named by clients, and is deleted with its
-- context.
ALTER TABLE files ADD COLUMN context_id TEXT;
CREATE INDEX files_by_context ON files (context_id) WHERE context_id IS NOT NULL;
