-- The password of an encrypted document, sealed; NULL: none. It is kept only as long as a worker may need it.
ALTER TABLE jobs ADD COLUMN password TEXT;
ALTER TABLE shards ADD COLUMN password TEXT;
CREATE TRIGGER job_password_erased AFTER UPDATE OF finished_at ON jobs
  WHEN NEW.finished_at IS NOT NULL AND NEW.password IS NOT NULL BEGIN
  UPDATE jobs SET password = NULL WHERE id = NEW.id;
END;
CREATE TRIGGER shard_password_erased AFTER UPDATE OF state ON shards
  WHEN NEW.state NOT IN ('queued', 'running') AND NEW.password IS NOT NULL BEGIN
  UPDATE shards SET password = NULL WHERE id = NEW.id;
END;
