-- The pages of a job that had all of them in the cache when it was created: one row instead of those in job_pages and in
-- events, which the views derive. hits: {"digest": of the model, "pages": [[page, page key, verdict, finish reason, when
-- it was read, how often it was delivered by then], …]}. The row is inserted before that of its job.
CREATE TABLE job_hits (
  job_id TEXT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  hits TEXT NOT NULL
) WITHOUT ROWID;

CREATE VIEW pages_of_hits AS
  SELECT h.job_id, p.value ->> 0 AS page, p.value ->> 1 AS page_key, 'done' AS state, 'hit' AS source,
    h.hits ->> 'digest' AS model_digest, p.value ->> 2 AS verdict, p.value ->> 3 AS finish_reason, NULL AS error,
    0 AS from_tokens
  FROM job_hits h CROSS JOIN json_each(h.hits, '$.pages') p;

-- Search it by one job: SQLite reads all of it for a list.
CREATE VIEW pages_of_jobs AS
  SELECT job_id, page, page_key, state, source, model_digest, verdict, finish_reason, error, from_tokens FROM job_pages
  UNION ALL SELECT * FROM pages_of_hits;

-- Each page of a job of hits, as the data of an event.
CREATE VIEW page_events_of_hits AS
  SELECT h.job_id, json_object('page', p.value ->> 0, 'state', 'done', 'source', 'hit', 'verdict', p.value ->> 2,
    'finish_reason', p.value ->> 3, 'error', NULL) AS data
  FROM job_hits h CROSS JOIN json_each(h.hits, '$.pages') p;

CREATE VIEW events_of_jobs AS
  SELECT id, job_id, type, data FROM events
  UNION ALL SELECT 1, job_id, 'queued', '{"state":"queued"}' FROM job_hits
  UNION ALL SELECT 2, job_id, 'page',
    (SELECT json_group_array(json(e.data)) FROM page_events_of_hits e WHERE e.job_id = h.job_id) FROM job_hits h
  UNION ALL SELECT 3, job_id, 'succeeded',
    json_object('state', 'succeeded', 'done', json_array_length(hits, '$.pages'), 'failed', 0, 'error', NULL)
  FROM job_hits;
