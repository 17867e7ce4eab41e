-- Days that ended jobs are kept. NULL: the setting JOB_RETENTION_DAYS.
ALTER TABLE tenants ADD COLUMN job_retention_days INTEGER;
-- When the last of its deleted jobs was created, so that a document's retention time still starts with its last use.
ALTER TABLE files ADD COLUMN used_at INTEGER;

-- What the sweep deletes by age.
CREATE INDEX jobs_ended ON jobs (tenant_id, finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX events_of_pages ON events (created_at) WHERE type = 'page';
CREATE INDEX deliveries_over ON deliveries (created_at) WHERE state <> 'pending';
