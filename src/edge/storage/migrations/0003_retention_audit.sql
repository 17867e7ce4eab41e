-- Days that a document is kept after its last use. NULL: the setting RETENTION_DAYS.
ALTER TABLE tenants ADD COLUMN retention_days INTEGER;

-- Who created, changed or deleted what. key_id is NULL for the bootstrap secret and for the service itself.
CREATE TABLE audit (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL,
  key_id TEXT,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX audit_by_tenant ON audit (tenant_id, id);
