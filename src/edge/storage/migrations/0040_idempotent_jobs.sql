-- The job that the request has started. A repetition continues with it, also if the first request failed afterwards.
ALTER TABLE idempotency ADD COLUMN job_id TEXT;
