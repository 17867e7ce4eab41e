-- URLs that receive the events of all jobs of a tenant. Secrets are derived from id and version, not stored.
CREATE TABLE webhook_endpoints (
  id TEXT PRIMARY KEY,
  tenant_id TEXT NOT NULL REFERENCES tenants (id),
  url TEXT NOT NULL,
  events TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'active',
  version INTEGER NOT NULL DEFAULT 1,
  previous_until INTEGER,
  failures INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL
);
CREATE INDEX webhook_endpoints_by_tenant ON webhook_endpoints (tenant_id, id);

-- NULL: the delivery is for the job's own webhook_url.
ALTER TABLE deliveries ADD COLUMN endpoint_id TEXT;
CREATE INDEX deliveries_by_endpoint ON deliveries (endpoint_id, id);
