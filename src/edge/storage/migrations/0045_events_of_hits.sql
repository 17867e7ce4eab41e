-- The pages that a job gets from the cache are one event, whose data is an array. Each row, and each entry in an index, is
-- a write; most repeated requests are answered from the cache.
DROP TRIGGER page_completed;
CREATE TRIGGER page_completed AFTER INSERT ON events WHEN NEW.type = 'page' BEGIN
  INSERT INTO deliveries (id, job_id, tenant_id, event, url, state, created_at, endpoint_id, payload)
  SELECT 'msg_' || lower(hex(randomblob(12))), j.id, j.tenant_id, 'page.completed', e.url, 'pending', NEW.created_at, e.id,
    json_set(p.value, '$.job_id', j.id, '$.file_id', j.file_id)
  FROM jobs j JOIN webhook_endpoints e ON e.tenant_id = j.tenant_id AND e.state = 'active'
    JOIN json_each(iif(json_type(NEW.data) = 'array', NEW.data, json_array(json(NEW.data)))) p
  WHERE j.id = NEW.job_id AND j.background = 0 AND 'page.completed' IN (SELECT value FROM json_each(e.events));
END;
