-- Expiry, rate limit and last use of keys.
ALTER TABLE keys ADD COLUMN expires_at INTEGER;
ALTER TABLE keys ADD COLUMN rate_per_minute INTEGER;
ALTER TABLE keys ADD COLUMN last_used_at INTEGER;

-- Stored responses to requests with an Idempotency-Key. Bodies are in R2, encrypted with a key derived from the caller's.
CREATE TABLE idempotency (
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  status INTEGER,
  headers TEXT,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (scope, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- Usage by day (UTC), key and model.
CREATE TABLE usage (
  tenant_id TEXT NOT NULL,
  day TEXT NOT NULL,
  key_id TEXT NOT NULL,
  model TEXT NOT NULL,
  pages_read INTEGER NOT NULL DEFAULT 0,
  pages_shared INTEGER NOT NULL DEFAULT 0,
  pages_cached INTEGER NOT NULL DEFAULT 0,
  vision_tokens INTEGER NOT NULL DEFAULT 0,
  text_tokens INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, day, key_id, model)
) WITHOUT ROWID;
