-- When the file is deleted, in milliseconds; NULL: by the retention time of the account.
ALTER TABLE files ADD COLUMN expires_at INTEGER;
CREATE INDEX files_by_expiry ON files (expires_at) WHERE expires_at IS NOT NULL;
