-- Networks from which a key may be used, separated by spaces. NULL: any.
ALTER TABLE keys ADD COLUMN allowed_cidrs TEXT;

-- zero_retention: the document is erased when the result is delivered. erase_at: when it is erased at the latest.
-- NULL: nothing is left to erase.
ALTER TABLE jobs ADD COLUMN zero_retention INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN erase_at INTEGER;
CREATE INDEX jobs_to_erase ON jobs (erase_at) WHERE erase_at IS NOT NULL;

-- Deliveries of events without a job: job_id is NULL. payload: data of the event, if it is not the job.
DROP INDEX deliveries_by_job;
ALTER TABLE deliveries RENAME COLUMN job_id TO old_job_id;
ALTER TABLE deliveries ADD COLUMN job_id TEXT REFERENCES jobs (id) ON DELETE CASCADE;
UPDATE deliveries SET job_id = old_job_id;
ALTER TABLE deliveries DROP COLUMN old_job_id;
CREATE INDEX deliveries_by_job ON deliveries (job_id);
CREATE INDEX deliveries_by_tenant ON deliveries (tenant_id);
ALTER TABLE deliveries ADD COLUMN payload TEXT;

-- The beginning of the receiver's response.
ALTER TABLE delivery_attempts ADD COLUMN answer TEXT;

-- When and why an endpoint was disabled.
ALTER TABLE webhook_endpoints ADD COLUMN disabled_at INTEGER;
ALTER TABLE webhook_endpoints ADD COLUMN disabled_reason TEXT;

-- page.completed: creates a delivery for each subscribed endpoint in the transaction that inserts the page event.
CREATE TRIGGER page_completed AFTER INSERT ON events WHEN NEW.type = 'page' BEGIN
  INSERT INTO deliveries (id, job_id, tenant_id, event, url, state, created_at, endpoint_id, payload)
  SELECT 'msg_' || lower(hex(randomblob(12))), j.id, j.tenant_id, 'page.completed', e.url, 'pending', NEW.created_at, e.id,
    json_set(NEW.data, '$.job_id', j.id, '$.file_id', j.file_id)
  FROM jobs j JOIN webhook_endpoints e ON e.tenant_id = j.tenant_id AND e.state = 'active'
  WHERE j.id = NEW.job_id AND j.batch_id IS NULL AND 'page.completed' IN (SELECT value FROM json_each(e.events));
END;

-- Uploads with presigned URLs. file_id: the file that the upload becomes.
CREATE TABLE uploads (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  file_id TEXT NOT NULL,
  name TEXT,
  bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  multipart_id TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'open',
  error TEXT,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
);
CREATE INDEX uploads_unfinished ON uploads (expires_at) WHERE state IN ('open', 'checking');

-- The document that a stored response is about. The response is deleted together with it.
ALTER TABLE idempotency ADD COLUMN file_id TEXT;
CREATE INDEX idempotency_by_file ON idempotency (file_id) WHERE file_id IS NOT NULL;
