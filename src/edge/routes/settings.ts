/** GET and PATCH /v1/settings: what a tenant decides for itself. */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { App, AppEnv } from "../app.ts";
import { settings } from "../env.ts";
import { requires } from "../http/auth.ts";
import { jsonBody, KIB } from "../http/body.ts";
import { problems } from "../http/problem.ts";
import { audit } from "../storage/audit.ts";
import { retentionDays, setRetentionDays } from "../storage/tenants.ts";

const days = z.int().min(1).max(3650);

const TenantSettings = z
  .object({
    retention_days: days.openapi({
      description:
        "Documents that no job has used for so long are deleted, with everything read from them",
    }),
    retention_is_default: z.boolean(),
  })
  .openapi("Settings");

const answer = {
  200: {
    description: "The settings",
    content: { "application/json": { schema: TenantSettings } },
  },
};

const read = createRoute({
  method: "get",
  path: "/v1/settings",
  operationId: "getSettings",
  tags: ["service"],
  summary: "The tenant's settings",
  security: [{ bearer: [] }],
  middleware: [requires("read")] as const,
  responses: { ...answer, ...problems() },
});

const change = createRoute({
  method: "patch",
  path: "/v1/settings",
  operationId: "changeSettings",
  tags: ["service"],
  summary: "Change the tenant's settings",
  description: "Needs the scope `admin`. `null` goes back to the service's default.",
  security: [{ bearer: [] }],
  middleware: [requires("admin"), jsonBody(KIB)] as const,
  request: {
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z.strictObject({ retention_days: days.nullable() }).openapi("ChangeSettings"),
        },
      },
    },
  },
  responses: {
    ...answer,
    ...problems("malformed-request", "not-json", "request-too-large", "invalid-request"),
  },
});

async function present(c: Context<AppEnv>) {
  const own = await retentionDays(c.env.DB, c.get("caller").tenantId);
  const { RETENTION_DAYS } = settings(c.env);
  return { retention_days: own ?? RETENTION_DAYS, retention_is_default: own === null };
}

export const tenantSettings = (app: App) => {
  app.openapi(read, async (c) => c.json(await present(c), 200));
  app.openapi(change, async (c) => {
    const { tenantId, keyId } = c.get("caller");
    await setRetentionDays(c.env.DB, tenantId, c.req.valid("json").retention_days);
    await audit(c.env.DB, tenantId, keyId, "settings.changed", tenantId);
    return c.json(await present(c), 200);
  });
};
