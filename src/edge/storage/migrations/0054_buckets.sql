-- A bucket of a customer. secret: its access key, sealed. access_key_hint: what is shown of that.
CREATE TABLE buckets (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  endpoint TEXT NOT NULL,
  region TEXT NOT NULL,
  bucket TEXT NOT NULL,
  prefix TEXT NOT NULL,
  addressing TEXT NOT NULL,
  secret TEXT NOT NULL,
  access_key_hint TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  rotated_at INTEGER
);
CREATE INDEX buckets_by_tenant ON buckets (tenant_id, id);

-- input: the objects that the batch reads, as JSON; NULL: those of its manifest. listed_to: the last key that was listed.
-- output: where the output is delivered, as JSON. bucket_faults, bucket_error: failures of buckets in a row, and the last
-- one. bucket_due_at: buckets are not asked before.
ALTER TABLE batches ADD COLUMN input TEXT;
ALTER TABLE batches ADD COLUMN listed_to TEXT;
ALTER TABLE batches ADD COLUMN output TEXT;
ALTER TABLE batches ADD COLUMN bucket_faults INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN bucket_error TEXT;
ALTER TABLE batches ADD COLUMN bucket_due_at INTEGER NOT NULL DEFAULT 0;

-- ETag of an object of a bucket when it was fetched.
ALTER TABLE batch_urls ADD COLUMN etag TEXT;

-- An object to be put into a bucket, or to a presigned address. owner: a batch or a job. kind: shard, training, manifest
-- or output of a batch; result of a job. number: of the shard. target: the address and its headers, sealed, until the
-- delivery ends. state: waiting (until the batch is over), pending,
-- delivered, failed. due_at: not to be tried before. lease_until: whoever works on it does
-- so until then.
CREATE TABLE output_deliveries (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  owner TEXT NOT NULL,
  kind TEXT NOT NULL,
  number INTEGER NOT NULL DEFAULT 0,
  bucket_id TEXT,
  key TEXT,
  target TEXT,
  state TEXT NOT NULL DEFAULT 'pending',
  failures INTEGER NOT NULL DEFAULT 0,
  due_at INTEGER NOT NULL,
  lease_until INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  etag TEXT,
  created_at INTEGER NOT NULL,
  finished_at INTEGER
) WITHOUT ROWID;
CREATE UNIQUE INDEX output_deliveries_of ON output_deliveries (owner, kind, number);
CREATE INDEX output_deliveries_due ON output_deliveries (due_at) WHERE state = 'pending';

CREATE TRIGGER output_target_erased AFTER UPDATE OF state ON output_deliveries
  WHEN NEW.state IN ('delivered', 'failed') AND NEW.target IS NOT NULL BEGIN
  UPDATE output_deliveries SET target = NULL WHERE id = NEW.id;
END;
CREATE TRIGGER output_deliveries_of_deleted_job AFTER DELETE ON jobs BEGIN
  DELETE FROM output_deliveries WHERE owner = OLD.id;
END;
CREATE TRIGGER output_deliveries_of_deleted_batch AFTER DELETE ON batches BEGIN
  DELETE FROM output_deliveries WHERE owner = OLD.id;
END;
