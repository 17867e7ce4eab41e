/** GET /v1/audit */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { requires } from "../../http/auth.ts";
import { listOf, listPage, listQuery, readCursor } from "../../http/pagination.ts";
import { problems } from "../../http/problem.ts";
import { AUDIT_ACTIONS, type AuditEntry, listAudit } from "../../storage/audit.ts";

const Entry = z
  .object({
    id: z.string(),
    action: z.enum(AUDIT_ACTIONS),
    target: z
      .string()
      .openapi({ description: "Id of the resource that was created, changed or deleted" }),
    fields: z.array(z.string()).openapi({
      description: "Names of what was changed, without values",
      example: ["monthly_pages"],
    }),
    key_id: z.string().nullable().openapi({
      description: "The key that did it; `null`: the bootstrap secret, or the service itself",
    }),
    key_name: z.string().nullable().openapi({ description: "Name of that key today" }),
    created_at: z.iso.datetime(),
  })
  .openapi("AuditEntry");

const day = z.iso.date().optional();
const id = z.string().max(64).optional();

const route = createRoute({
  method: "get",
  path: "/v1/audit",
  operationId: "listAudit",
  tags: ["service"],
  summary: "List the audit log of keys, settings, webhooks, batches and deletions, newest first",
  description: "Needs the scope `admin`. It has ids and names of fields, but no values.",
  security: [{ bearer: [] }],
  middleware: [requires("admin")] as const,
  request: {
    query: z.strictObject({
      ...listQuery,
      action: z.enum(AUDIT_ACTIONS).optional(),
      key: id.openapi({ description: "Only what the key with this id has done" }),
      target: id.openapi({ description: "Only what was done to the resource with this id" }),
      from: day.openapi({ description: "First day (UTC)", example: "2026-11-01" }),
      to: day.openapi({ description: "Last day (UTC)", example: "2026-11-24" }),
    }),
  },
  responses: {
    200: { description: "Entries", content: { "application/json": { schema: listOf(Entry) } } },
    ...problems("invalid-request"),
  },
});

const DAY_MS = 86_400_000;

const present = (entry: AuditEntry): z.infer<typeof Entry> => ({
  id: entry.id,
  action: entry.action,
  target: entry.target,
  fields: entry.fields,
  key_id: entry.keyId,
  key_name: entry.keyName,
  created_at: new Date(entry.createdAt).toISOString(),
});

export const auditList = (app: App) =>
  app.openapi(route, async (c) => {
    const { limit, cursor, action, key, target, from, to } = c.req.valid("query");
    const entries = await listAudit(c.env.DB, c.get("caller").tenantId, {
      action,
      keyId: key,
      target,
      from: from === undefined ? undefined : Date.parse(from),
      to: to === undefined ? undefined : Date.parse(to) + DAY_MS,
      before: readCursor(cursor, "aud"),
      limit: limit + 1,
    });
    return c.json(listPage(entries, limit, present), 200);
  });
