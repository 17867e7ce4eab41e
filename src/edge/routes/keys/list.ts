import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { ENVIRONMENTS, SCOPES } from "../../domain/keys/api-key.ts";
import type { StoredKey } from "../../domain/keys/stored-key.ts";
import { requires } from "../../http/auth.ts";
import { listOf, listPage, listQuery, readCursor } from "../../http/pagination.ts";
import { problems } from "../../http/problem.ts";
import { listKeys } from "../../storage/keys.ts";

export const ApiKey = z
  .object({
    id: z.string(),
    name: z.string(),
    hint: z.string().openapi({ description: "The key's last four characters" }),
    environment: z.enum(ENVIRONMENTS),
    scopes: z.array(z.enum(SCOPES)),
    created_at: z.iso.datetime(),
    revoked_at: z.iso.datetime().nullable(),
    expires_at: z.iso.datetime().nullable(),
    last_used_at: z.iso.datetime().nullable().openapi({ description: "To the minute" }),
    monthly_pages: z.int().nullable(),
    concurrent_jobs: z.int().nullable(),
    allowed_cidrs: z
      .array(z.string())
      .nullable()
      .openapi({
        description: "Networks from which it may be used; `null`: from anywhere",
        example: ["203.0.113.0/24"],
      }),
    rate_per_minute: z.int().nullable().openapi({ description: "`null`: the service's default" }),
  })
  .openapi("ApiKey");

const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());

export const presentKey = (key: StoredKey): z.infer<typeof ApiKey> => ({
  id: key.id,
  name: key.name,
  hint: key.hint,
  environment: key.environment,
  scopes: key.scopes,
  created_at: new Date(key.createdAt).toISOString(),
  revoked_at: iso(key.revokedAt),
  expires_at: iso(key.expiresAt),
  last_used_at: iso(key.lastUsedAt),
  monthly_pages: key.monthlyPages,
  concurrent_jobs: key.concurrentJobs,
  allowed_cidrs: key.allowedCidrs,
  rate_per_minute: key.ratePerMinute,
});

const route = createRoute({
  method: "get",
  path: "/v1/keys",
  operationId: "listKeys",
  tags: ["keys"],
  summary: "List API keys",
  description: "All keys of the tenant, revoked ones too, newest first. Needs the scope `admin`.",
  security: [{ bearer: [] }],
  middleware: requires("admin"),
  request: { query: z.strictObject(listQuery) },
  responses: {
    200: {
      description: "The keys",
      content: { "application/json": { schema: listOf(ApiKey) } },
    },
    ...problems("invalid-request"),
  },
});

export const keysList = (app: App) =>
  app.openapi(route, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const before = readCursor(cursor, "key");
    const rows = await listKeys(c.env.DB, c.get("caller").tenantId, before, limit + 1);
    return c.json(listPage(rows, limit, presentKey), 200);
  });
