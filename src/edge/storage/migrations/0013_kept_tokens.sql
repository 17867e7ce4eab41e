-- Index of the vision tokens in R2.
CREATE TABLE kept_tokens (
  id TEXT PRIMARY KEY,
  token_key TEXT NOT NULL,
  model_digest TEXT NOT NULL,
  tenant_id TEXT NOT NULL,
  file_id TEXT NOT NULL,
  page INTEGER NOT NULL,
  dpi REAL NOT NULL,
  mode TEXT NOT NULL,
  model TEXT NOT NULL,
  dtype TEXT NOT NULL,
  positions INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (token_key, model_digest)
);
CREATE INDEX kept_tokens_by_file ON kept_tokens (file_id, id);

-- keep_tokens: whether vision tokens are kept by default. token_bytes: how many bytes are stored.
ALTER TABLE tenants ADD COLUMN keep_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenants ADD COLUMN token_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN keep_tokens INTEGER NOT NULL DEFAULT 0;
-- Whether the page was decoded from kept vision tokens.
ALTER TABLE job_pages ADD COLUMN from_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage ADD COLUMN pages_from_tokens INTEGER NOT NULL DEFAULT 0;
-- For results of the task encode: their vision tokens. The result is deleted together with them.
ALTER TABLE results ADD COLUMN token_key TEXT;
CREATE INDEX results_by_tokens ON results (token_key) WHERE token_key IS NOT NULL;

CREATE TRIGGER tokens_kept AFTER INSERT ON kept_tokens BEGIN
  UPDATE tenants SET token_bytes = token_bytes + NEW.bytes WHERE id = NEW.tenant_id;
END;
CREATE TRIGGER tokens_replaced AFTER UPDATE OF bytes ON kept_tokens BEGIN
  UPDATE tenants SET token_bytes = token_bytes + NEW.bytes - OLD.bytes WHERE id = NEW.tenant_id;
END;
CREATE TRIGGER tokens_deleted AFTER DELETE ON kept_tokens BEGIN
  UPDATE tenants SET token_bytes = token_bytes - OLD.bytes WHERE id = OLD.tenant_id;
  DELETE FROM results WHERE token_key = OLD.token_key AND model_digest = OLD.model_digest;
END;
