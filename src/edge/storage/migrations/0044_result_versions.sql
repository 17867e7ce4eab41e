-- When results were last deleted, as part of the keys under which answers are cached (docs/STORAGE.md). jobs: the last
-- two characters of the ids of the jobs concerned. version: Unix milliseconds, but always greater than the last one.
CREATE TABLE result_versions (
  tenant_id TEXT NOT NULL,
  jobs TEXT NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, jobs)
) WITHOUT ROWID;
CREATE INDEX result_versions_by_age ON result_versions (version);

CREATE TRIGGER job_deleted AFTER DELETE ON jobs WHEN OLD.background = 0 BEGIN
  INSERT INTO result_versions (tenant_id, jobs, version)
  VALUES (OLD.tenant_id, substr(OLD.id, -2), CAST(unixepoch('subsec') * 1000 AS INTEGER))
  ON CONFLICT (tenant_id, jobs) DO UPDATE SET version = max(version + 1, excluded.version);
END;

CREATE TRIGGER document_deleted AFTER DELETE ON files BEGIN
  INSERT INTO result_versions (tenant_id, jobs, version)
  SELECT DISTINCT OLD.tenant_id, substr(id, -2), CAST(unixepoch('subsec') * 1000 AS INTEGER)
  FROM jobs WHERE file_id = OLD.id AND background = 0
  ON CONFLICT (tenant_id, jobs) DO UPDATE SET version = max(version + 1, excluded.version);
END;
