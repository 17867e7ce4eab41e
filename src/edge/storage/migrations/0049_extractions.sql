-- Data extracted from the pages of a job by a JSON Schema (docs/EXTRACTION.md). request: schema and instructions as JSON,
-- until the extraction ends. digest: what is asked, of which model. reading: digest, and which readings of the pages;
-- known when the job has ended. state: queued, running, succeeded, failed. parts: JSON list of the parts of the document;
-- parts_done: how many of them have an answer. faults: failed requests in a row. due_at: not to be worked on before.
-- lease_until: whoever works on it does so until then.
CREATE TABLE extractions (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  key_id TEXT NOT NULL,
  file_id TEXT NOT NULL,
  job_id TEXT NOT NULL,
  digest TEXT NOT NULL,
  model TEXT NOT NULL,
  request TEXT,
  reading TEXT,
  state TEXT NOT NULL DEFAULT 'queued',
  cached INTEGER NOT NULL DEFAULT 0,
  parts TEXT,
  parts_done INTEGER NOT NULL DEFAULT 0,
  faults INTEGER NOT NULL DEFAULT 0,
  due_at INTEGER NOT NULL DEFAULT 0,
  lease_until INTEGER NOT NULL DEFAULT 0,
  input_tokens INTEGER NOT NULL DEFAULT 0,
  output_tokens INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  created_at INTEGER NOT NULL,
  deadline_at INTEGER,
  finished_at INTEGER
) WITHOUT ROWID;
-- A repetition of a request finds the extraction; only a failed one is made again.
CREATE UNIQUE INDEX extractions_of_job ON extractions (job_id, digest) WHERE state <> 'failed';
-- No two at once ask for the same.
CREATE UNIQUE INDEX extractions_running ON extractions (tenant_id, reading) WHERE state = 'running';
CREATE INDEX extractions_made ON extractions (tenant_id, reading) WHERE state = 'succeeded';
CREATE INDEX extractions_open ON extractions (tenant_id, created_at) WHERE finished_at IS NULL;
CREATE INDEX extractions_of_file ON extractions (file_id);

-- The extraction that the request for the job has asked for.
ALTER TABLE jobs ADD COLUMN extraction_id TEXT;

CREATE TRIGGER extractions_of_deleted_job AFTER DELETE ON jobs BEGIN
  DELETE FROM extractions WHERE job_id = OLD.id;
END;
CREATE TRIGGER extractions_of_deleted_document AFTER DELETE ON files BEGIN
  DELETE FROM extractions WHERE file_id = OLD.id;
END;
