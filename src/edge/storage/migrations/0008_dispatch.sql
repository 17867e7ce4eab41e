-- When the current attempt was dispatched, when its worker first reported, and why the shard has no slot.
ALTER TABLE shards ADD COLUMN dispatched_at INTEGER;
ALTER TABLE shards ADD COLUMN heard_at INTEGER;
ALTER TABLE shards ADD COLUMN waiting_for TEXT;
ALTER TABLE shards DROP COLUMN waits;
-- W3C traceparent of the request that created the job.
ALTER TABLE jobs ADD COLUMN traceparent TEXT;
ALTER TABLE shards ADD COLUMN traceparent TEXT;

-- Daily limits of a tenant (UTC). NULL: no limit.
ALTER TABLE tenants ADD COLUMN daily_pages INTEGER;
ALTER TABLE tenants ADD COLUMN daily_usd REAL;

ALTER TABLE usage ADD COLUMN pages_failed INTEGER NOT NULL DEFAULT 0;
