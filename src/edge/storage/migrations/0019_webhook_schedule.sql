-- The schedule of webhooks. A pending delivery is due at next_attempt_at; NULL: at once.
-- failures: failed attempts since the delivery was created or replayed.
ALTER TABLE deliveries RENAME COLUMN queued_at TO next_attempt_at;
ALTER TABLE deliveries ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
UPDATE deliveries SET next_attempt_at = NULL,
  failures = (SELECT count(*) FROM delivery_attempts a WHERE a.delivery_id = deliveries.id)
  WHERE state = 'pending';
DROP INDEX deliveries_pending;
CREATE INDEX deliveries_pending ON deliveries (tenant_id, url, next_attempt_at) WHERE state = 'pending';
CREATE INDEX deliveries_in_turn ON deliveries (tenant_id, url, failures, created_at, id) WHERE state = 'pending';
