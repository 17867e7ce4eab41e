-- The extraction from the figures of the job, which the request for the job has asked for.
ALTER TABLE jobs ADD COLUMN figures_id TEXT;
