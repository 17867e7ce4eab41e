-- Names of what was changed, such as `daily_pages`, as a JSON array; no values.
ALTER TABLE audit ADD COLUMN fields TEXT NOT NULL DEFAULT '[]';

-- The list is ordered by time, and the sweep deletes what is old.
CREATE INDEX audit_by_tenant_and_time ON audit (tenant_id, created_at, id);
CREATE INDEX audit_by_time ON audit (created_at);
DROP INDEX audit_by_tenant;
