-- Limits of a key. NULL: no limit.
ALTER TABLE keys ADD COLUMN monthly_pages INTEGER;
ALTER TABLE keys ADD COLUMN concurrent_jobs INTEGER;
CREATE INDEX jobs_open_by_key ON jobs (key_id) WHERE finished_at IS NULL;
