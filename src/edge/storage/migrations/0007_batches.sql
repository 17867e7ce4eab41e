-- Uploaded manifests. The bytes are in R2.
CREATE TABLE manifests (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX manifests_by_age ON manifests (created_at);

-- count_offset, counted: how far the lines are counted. total: NULL until all are counted.
-- read_offset, read_lines: how far the lines are inserted into batch_lines.
CREATE TABLE batches (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  key_id TEXT NOT NULL,
  manifest TEXT NOT NULL,
  etag TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  defaults TEXT NOT NULL,
  metadata TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT,
  run INTEGER NOT NULL DEFAULT 1,
  count_offset INTEGER NOT NULL DEFAULT 0,
  count_lines INTEGER NOT NULL DEFAULT 0,
  counted INTEGER NOT NULL DEFAULT 0,
  total INTEGER,
  read_offset INTEGER NOT NULL DEFAULT 0,
  read_lines INTEGER NOT NULL DEFAULT 0,
  succeeded INTEGER NOT NULL DEFAULT 0,
  partial INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  canceled INTEGER NOT NULL DEFAULT 0,
  pages_done INTEGER NOT NULL DEFAULT 0,
  pages_failed INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  finished_at INTEGER,
  driven_at INTEGER NOT NULL,
  traceparent TEXT NOT NULL
);
CREATE INDEX batches_by_tenant ON batches (tenant_id, id);
CREATE INDEX batches_open ON batches (driven_at) WHERE finished_at IS NULL;

-- A line between manifest and output. States: waiting, open (its job is running), settled (its output is not written
-- yet). Failed lines stay, to be listed and retried.
CREATE TABLE batch_lines (
  batch_id TEXT NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
  line INTEGER NOT NULL,
  state TEXT NOT NULL,
  spec TEXT,
  fingerprint TEXT,
  job_id TEXT,
  outcome TEXT,
  error TEXT,
  selection TEXT,
  pages_done INTEGER NOT NULL DEFAULT 0,
  pages_failed INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (batch_id, line)
) WITHOUT ROWID;
CREATE INDEX batch_lines_by_state ON batch_lines (batch_id, state, line);
CREATE INDEX batch_lines_by_fingerprint ON batch_lines (batch_id, fingerprint) WHERE state = 'open';
CREATE INDEX batch_lines_by_job ON batch_lines (job_id) WHERE job_id IS NOT NULL;

-- Files of the URLs of an open batch, so that each URL is fetched once.
CREATE TABLE batch_urls (
  batch_id TEXT NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
  url_hash TEXT NOT NULL,
  file_id TEXT NOT NULL,
  PRIMARY KEY (batch_id, url_hash)
) WITHOUT ROWID;

-- A finished shard of a batch's output.
CREATE TABLE batch_shards (
  batch_id TEXT NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  run INTEGER NOT NULL,
  lines INTEGER NOT NULL,
  pages INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (batch_id, number)
) WITHOUT ROWID;

-- Jobs of a batch are not listed, cause no webhooks and do not count for the limit of open jobs.
ALTER TABLE jobs ADD COLUMN batch_id TEXT;
CREATE INDEX jobs_by_batch ON jobs (batch_id) WHERE batch_id IS NOT NULL;
-- 1: only batches wait for the shard.
ALTER TABLE shards ADD COLUMN batch INTEGER NOT NULL DEFAULT 0;
