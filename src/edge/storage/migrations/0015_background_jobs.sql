-- A job in the background serves a batch or a context: it is not listed, triggers no webhook, does not count against
-- the limit of open jobs, and its shards wait behind all others. batch_id: the batch whose line it reads. It held the
-- id of the context for the jobs of contexts.
ALTER TABLE jobs ADD COLUMN background INTEGER NOT NULL DEFAULT 0;
UPDATE jobs SET background = 1 WHERE batch_id IS NOT NULL;
UPDATE jobs SET batch_id = NULL WHERE batch_id LIKE 'ctx\_%' ESCAPE '\';

DROP TRIGGER page_completed;
CREATE TRIGGER page_completed AFTER INSERT ON events WHEN NEW.type = 'page' BEGIN
  INSERT INTO deliveries (id, job_id, tenant_id, event, url, state, created_at, endpoint_id, payload)
  SELECT 'msg_' || lower(hex(randomblob(12))), j.id, j.tenant_id, 'page.completed', e.url, 'pending', NEW.created_at, e.id,
    json_set(NEW.data, '$.job_id', j.id, '$.file_id', j.file_id)
  FROM jobs j JOIN webhook_endpoints e ON e.tenant_id = j.tenant_id AND e.state = 'active'
  WHERE j.id = NEW.job_id AND j.background = 0 AND 'page.completed' IN (SELECT value FROM json_each(e.events));
END;
