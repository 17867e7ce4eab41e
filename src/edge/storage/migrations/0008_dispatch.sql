-- When a shard's present attempt was given away, when its worker first spoke, and why it has no slot.
ALTER TABLE shards ADD COLUMN dispatched_at INTEGER;
ALTER TABLE shards ADD COLUMN heard_at INTEGER;
ALTER TABLE shards ADD COLUMN waiting_for TEXT;
ALTER TABLE shards DROP COLUMN waits;
-- The span of the request that made it (W3C traceparent).
ALTER TABLE jobs ADD COLUMN traceparent TEXT;
ALTER TABLE shards ADD COLUMN traceparent TEXT;

-- What a tenant lets itself have read in a day (UTC); NULL: no limit of its own.
ALTER TABLE tenants ADD COLUMN daily_pages INTEGER;
ALTER TABLE tenants ADD COLUMN daily_usd REAL;

ALTER TABLE usage ADD COLUMN pages_failed INTEGER NOT NULL DEFAULT 0;
