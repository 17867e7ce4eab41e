-- Times are Unix milliseconds. docs/STORAGE.md describes the tables.
CREATE TABLE tenants (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL
);

CREATE TABLE keys (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  hash TEXT NOT NULL UNIQUE,
  hint TEXT NOT NULL,
  name TEXT NOT NULL,
  environment TEXT NOT NULL,
  scopes TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER
);
CREATE INDEX keys_by_tenant ON keys (tenant_id, id);

CREATE TABLE files (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  sha256 TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  media_type TEXT NOT NULL,
  name TEXT,
  page_count INTEGER,
  created_at INTEGER NOT NULL,
  UNIQUE (tenant_id, sha256)
);
CREATE INDEX files_by_tenant ON files (tenant_id, id);

CREATE TABLE models (
  name TEXT PRIMARY KEY,
  digest TEXT NOT NULL,
  seen_at INTEGER NOT NULL
);

CREATE TABLE jobs (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  key_id TEXT NOT NULL,
  file_id TEXT NOT NULL,
  options TEXT NOT NULL,
  selection TEXT NOT NULL,
  cache TEXT NOT NULL,
  state TEXT NOT NULL,
  planned INTEGER NOT NULL DEFAULT 0,
  total INTEGER NOT NULL DEFAULT 0,
  done INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  webhook_url TEXT,
  metadata TEXT,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  deadline_at INTEGER NOT NULL
);
CREATE INDEX jobs_by_tenant ON jobs (tenant_id, id);
CREATE INDEX jobs_by_file ON jobs (file_id);
CREATE INDEX jobs_open ON jobs (deadline_at) WHERE finished_at IS NULL;

CREATE TABLE job_pages (
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  page INTEGER NOT NULL,
  page_key TEXT NOT NULL,
  state TEXT NOT NULL,
  source TEXT NOT NULL,
  model_digest TEXT,
  verdict TEXT,
  finish_reason TEXT,
  error TEXT,
  PRIMARY KEY (job_id, page)
) WITHOUT ROWID;
CREATE INDEX job_pages_by_key ON job_pages (page_key);

CREATE TABLE flights (
  page_key TEXT PRIMARY KEY,
  job_id TEXT NOT NULL,
  page INTEGER NOT NULL,
  shard_id TEXT,
  created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX flights_by_shard ON flights (shard_id);
CREATE INDEX flights_by_job ON flights (job_id);

CREATE TABLE shards (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  file_id TEXT NOT NULL,
  options TEXT NOT NULL,
  state TEXT NOT NULL,
  attempt INTEGER NOT NULL DEFAULT 0,
  waits INTEGER NOT NULL DEFAULT 0,
  server TEXT,
  prediction_id TEXT,
  lease_until INTEGER,
  deadline_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX shards_by_state ON shards (state, created_at);
CREATE INDEX shards_by_file ON shards (file_id);

CREATE TABLE results (
  page_key TEXT NOT NULL,
  model_digest TEXT NOT NULL,
  tenant_id TEXT NOT NULL,
  file_id TEXT NOT NULL,
  page INTEGER NOT NULL,
  verdict TEXT NOT NULL,
  finish_reason TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  readings INTEGER NOT NULL DEFAULT 1,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (page_key, model_digest)
) WITHOUT ROWID;
CREATE INDEX results_by_file ON results (file_id);

CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  type TEXT NOT NULL,
  data TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX events_by_job ON events (job_id, id);

CREATE TABLE deliveries (
  id TEXT PRIMARY KEY,
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  tenant_id TEXT NOT NULL,
  event TEXT NOT NULL,
  url TEXT NOT NULL,
  state TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  queued_at INTEGER
);
CREATE INDEX deliveries_by_job ON deliveries (job_id);
CREATE INDEX deliveries_pending ON deliveries (created_at) WHERE state = 'pending';

CREATE TABLE delivery_attempts (
  delivery_id TEXT NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
  attempt INTEGER NOT NULL,
  at INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  status INTEGER,
  error TEXT,
  PRIMARY KEY (delivery_id, attempt)
) WITHOUT ROWID;

CREATE TABLE seen_callbacks (
  id TEXT PRIMARY KEY,
  seen_at INTEGER NOT NULL
) WITHOUT ROWID;
