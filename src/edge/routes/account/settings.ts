/** GET and PATCH /v1/settings: the tenant's own settings. */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { App, AppEnv } from "../../context.ts";
import { requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, KIB } from "../../http/body.ts";
import { problems } from "../../http/problem.ts";
import { settings } from "../../settings.ts";
import { changeTenant, dayLimits, keptTokens, retention } from "../../storage/tenants.ts";

const days = z.int().min(1).max(3650);

const dailyPages = z.int().min(0).max(1_000_000_000);
const dailyUsd = z.number().min(0).max(1_000_000_000);

const TenantSettings = z
  .object({
    retention_days: days.openapi({
      description:
        "Days after its last use until a document is deleted, with everything read from it",
    }),
    retention_is_default: z.boolean(),
    job_retention_days: days.openapi({
      description: "Days after its end until a job is deleted. Its document has its own time",
    }),
    daily_pages: dailyPages.nullable().openapi({
      description: "Limit of pages read per day (UTC); `null`: no limit",
    }),
    daily_usd: dailyUsd.nullable().openapi({
      description: "Limit of spending per day, by the service's prices; `null`: no limit",
    }),
    keep_tokens: z.boolean().openapi({
      description: "Whether vision tokens are kept for requests that do not set `tokens`",
    }),
    token_bytes: z.int().min(0).openapi({ description: "Bytes of vision tokens that are kept" }),
    token_bytes_max: z
      .int()
      .openapi({ description: "Limit of `token_bytes`; beyond it, no tokens are kept" }),
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
  description:
    "Needs the scope `admin`. Omitted settings stay as they are; `null` restores the service's default. The service may have stricter daily limits. Changes take effect within ten seconds.",
  security: [{ bearer: [] }],
  middleware: [requires("admin"), jsonBody(KIB)] as const,
  request: {
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z
            .strictObject({
              retention_days: days.nullable().optional(),
              job_retention_days: days.nullable().optional(),
              daily_pages: dailyPages.nullable().optional(),
              daily_usd: dailyUsd.nullable().optional(),
              keep_tokens: z.boolean().optional(),
            })
            .refine((body) => Object.keys(body).length > 0, "name at least one setting")
            .openapi("ChangeSettings"),
        },
      },
    },
  },
  responses: {
    ...answer,
    ...problems(JSON_BODY),
  },
});

async function present(c: Context<AppEnv>) {
  const { tenantId } = c.get("caller");
  const [own, { pages, usd }, { keep, bytes }] = await Promise.all([
    retention(c.env.DB, tenantId),
    dayLimits(c.env.DB, tenantId),
    keptTokens(c.env.DB, tenantId),
  ]);
  const { RETENTION_DAYS, JOB_RETENTION_DAYS, TENANT_TOKENS_BYTES } = settings(c.env);
  return {
    retention_days: own.documents ?? RETENTION_DAYS,
    retention_is_default: own.documents === null,
    job_retention_days: own.jobs ?? JOB_RETENTION_DAYS,
    daily_pages: pages,
    daily_usd: usd,
    keep_tokens: keep,
    token_bytes: bytes,
    token_bytes_max: TENANT_TOKENS_BYTES,
  };
}

export const tenantSettings = (app: App) => {
  app.openapi(read, async (c) => c.json(await present(c), 200));
  app.openapi(change, async (c) => {
    const { tenantId, keyId } = c.get("caller");
    await changeTenant(c.env.DB, tenantId, c.req.valid("json"), keyId);
    return c.json(await present(c), 200);
  });
};
