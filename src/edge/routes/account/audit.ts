/** GET /v1/audit */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { requires } from "../../http/auth.ts";
import { listOf, listPage, listQuery, readCursor } from "../../http/pagination.ts";
import { problems } from "../../http/problem.ts";
import { AUDIT_ACTIONS, listAudit } from "../../storage/audit.ts";

const Entry = z
  .object({
    id: z.string(),
    action: z.enum(AUDIT_ACTIONS),
    target: z
      .string()
      .openapi({ description: "Id of the resource that was created, changed or deleted" }),
    key_id: z.string().nullable().openapi({
      description: "The key that did it; `null`: the bootstrap secret, or the service itself",
    }),
    created_at: z.iso.datetime(),
  })
  .openapi("AuditEntry");

const route = createRoute({
  method: "get",
  path: "/v1/audit",
  operationId: "listAudit",
  tags: ["service"],
  summary: "List the audit log of keys, settings and deletions, newest first",
  description: "Needs the scope `admin`.",
  security: [{ bearer: [] }],
  middleware: [requires("admin")] as const,
  request: { query: z.strictObject(listQuery) },
  responses: {
    200: { description: "Entries", content: { "application/json": { schema: listOf(Entry) } } },
    ...problems("invalid-request"),
  },
});

export const auditList = (app: App) =>
  app.openapi(route, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const before = readCursor(cursor, "aud");
    const entries = await listAudit(c.env.DB, c.get("caller").tenantId, before, limit + 1);
    const present = (entry: (typeof entries)[number]) => ({
      id: entry.id,
      action: entry.action,
      target: entry.target,
      key_id: entry.keyId,
      created_at: new Date(entry.createdAt).toISOString(),
    });
    return c.json(listPage(entries, limit, present), 200);
  });
