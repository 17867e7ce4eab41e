-- The bundle of an ended job's pages. NULL: it is not made yet. Empty: there is none.
ALTER TABLE jobs ADD COLUMN bundle TEXT;
CREATE INDEX jobs_without_bundle ON jobs (finished_at)
  WHERE bundle IS NULL AND finished_at IS NOT NULL AND background = 0 AND zero_retention = 0;
