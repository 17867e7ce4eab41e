import { createRoute, z } from "@hono/zod-openapi";
import { createMiddleware } from "hono/factory";
import type { App, AppEnv, Caller } from "../../context.ts";
import { newId } from "../../domain/ids.ts";
import { ENVIRONMENTS, keyHint, newApiKey, SCOPES, type Scope } from "../../domain/keys/api-key.ts";
import { normalCidr } from "../../domain/network/cidr.ts";
import { authenticate, demandKey, demandScope } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, KIB } from "../../http/body.ts";
import { IDEMPOTENT, idempotent } from "../../http/idempotency.ts";
import { problems } from "../../http/problem.ts";
import { noteKeyChange } from "../../keys/notice.ts";
import { Problem } from "../../problem.ts";
import { bearerMatches } from "../../security/bearer.ts";
import { settings } from "../../settings.ts";
import { ensureTenant, hashKey, insertKey } from "../../storage/keys.ts";
import {
  ApiKey,
  allowedCidrs,
  concurrentJobs,
  monthlyPages,
  name,
  presentKey,
  ratePerMinute,
} from "./view.ts";

const NewKey = z
  .strictObject({
    name: name.default("API key"),
    environment: z.enum(ENVIRONMENTS).default("live"),
    scopes: z.array(z.enum(SCOPES)).min(1).max(SCOPES.length).optional().openapi({
      description:
        "`admin` includes all other scopes. Default: `read` and `write`, or `admin` with the bootstrap secret",
    }),
    expires_at: z.iso.datetime().optional(),
    rate_per_minute: ratePerMinute.optional().openapi({
      description: "Requests per minute. Default: the service's limit",
    }),
    monthly_pages: monthlyPages.optional().openapi({
      description: "Limit of pages read per calendar month (UTC). Default: no limit",
    }),
    concurrent_jobs: concurrentJobs.optional().openapi({
      description: "Limit of open jobs. Default: no limit",
    }),
    allowed_cidrs: allowedCidrs.optional().openapi({
      description: "IPv4 and IPv6 networks from which the key may be used. Default: any",
      example: ["203.0.113.0/24", "2001:db8::/32"],
    }),
    tenant: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "lower-case letters, digits and hyphens")
      .optional()
      .openapi({
        description:
          "Only with the bootstrap secret: the tenant, which is created if it does not exist. Default: `default`",
      }),
  })
  .openapi("NewApiKey", { example: { name: "billing", scopes: ["read", "write"] } });

export const CreatedKey = ApiKey.extend({
  key: z.string().openapi({ description: "The key itself. It is shown only once" }),
}).openapi("CreatedApiKey");

const route = createRoute({
  method: "post",
  path: "/v1/keys",
  operationId: "createKey",
  tags: ["keys"],
  summary: "Create an API key",
  description:
    "An `admin` key creates keys of its own tenant. The bootstrap secret, sent as a Bearer token, creates keys of any tenant, such as the first one.",
  security: [{ bearer: [] }],
  request: { body: { required: true, content: { "application/json": { schema: NewKey } } } },
  responses: {
    201: {
      description: "The key, shown in full only once",
      content: { "application/json": { schema: CreatedKey } },
    },
    ...problems(JSON_BODY, IDEMPOTENT),
  },
});

export const keysCreate = (app: App) => {
  // Authenticates before the body is validated, so that strangers learn nothing about the schema.
  const door = createMiddleware<AppEnv>(async (c, next) => {
    const header = c.req.header("authorization");
    if (!(await bearerMatches(header ?? null, settings(c.env).BOOTSTRAP_SECRET))) {
      const caller = await authenticate(c);
      demandKey(caller);
      demandScope(caller, "admin");
      c.set("caller", caller);
    }
    await next();
  });
  app.post("/v1/keys", door, jsonBody(16 * KIB), idempotent);

  app.openapi(route, async (c) => {
    const body = c.req.valid("json");
    const caller = c.get("caller") as Caller | undefined;
    if (caller && body.tenant !== undefined) {
      throw new Problem("invalid-request", "tenant: only with the bootstrap secret");
    }
    const now = Date.now();
    const fallback: Scope[] = caller ? ["read", "write"] : ["admin"];
    const key = newApiKey(body.environment);
    const stored = {
      id: newId("key", now),
      tenantId: caller?.tenantId ?? (await ensureTenant(c.env.DB, body.tenant ?? "default", now)),
      hint: keyHint(key),
      name: body.name,
      environment: body.environment,
      scopes: [...new Set(body.scopes ?? fallback)],
      createdAt: now,
      revokedAt: null,
      expiresAt: body.expires_at === undefined ? null : Date.parse(body.expires_at),
      ratePerMinute: body.rate_per_minute ?? null,
      lastUsedAt: null,
      monthlyPages: body.monthly_pages ?? null,
      concurrentJobs: body.concurrent_jobs ?? null,
      allowedCidrs: body.allowed_cidrs?.map((text) => normalCidr(text) as string) ?? null,
    };
    const by = caller?.keyId ?? null;
    await insertKey(c.env.DB, stored, await hashKey(key), by);
    await noteKeyChange(c.env, stored.tenantId, "key.created", stored.id, by);
    return c.json({ ...presentKey(stored), key }, 201, { "cache-control": "no-store" });
  });
};
