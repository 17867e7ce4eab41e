/** GET /v1/keys, GET /v1/whoami, PATCH and DELETE /v1/keys/{id} */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import type { StoredKey } from "../../domain/keys/stored-key.ts";
import { normalCidr } from "../../domain/network/cidr.ts";
import { authenticated, demandScope, requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, KIB } from "../../http/body.ts";
import { listOf, listPage, listQuery, readCursor } from "../../http/pagination.ts";
import { problems } from "../../http/problem.ts";
import { noteKeyChange } from "../../keys/notice.ts";
import { rateLimiterOf } from "../../keys/rate-limiter.ts";
import { Problem } from "../../problem.ts";
import { changeKey, findKey, listKeys, revokeKey } from "../../storage/keys.ts";
import {
  ApiKey,
  allowedCidrs,
  concurrentJobs,
  monthlyPages,
  name,
  presentKey,
  ratePerMinute,
} from "./view.ts";

const list = createRoute({
  method: "get",
  path: "/v1/keys",
  operationId: "listKeys",
  tags: ["keys"],
  summary: "List API keys",
  description:
    "All keys of the tenant, including revoked keys, newest first. Needs the scope `admin`.",
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
  app.openapi(list, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const before = readCursor(cursor, "key");
    const rows = await listKeys(c.env.DB, c.get("caller").tenantId, before, limit + 1);
    return c.json(listPage(rows, limit, presentKey), 200);
  });

const own = createRoute({
  method: "get",
  path: "/v1/whoami",
  operationId: "getOwnKey",
  tags: ["keys"],
  summary: "Get the calling API key",
  description: "Needs no scope. With the `id`, any key can revoke itself.",
  security: [{ bearer: [] }],
  middleware: authenticated,
  responses: {
    200: { description: "The key", content: { "application/json": { schema: ApiKey } } },
    ...problems("not-found"),
  },
});

/** Anyone who finds a leaked key can look up its id and revoke it, with nothing but the key. */
export const whoami = (app: App) =>
  app.openapi(own, async (c) => {
    const { tenantId, keyId } = c.get("caller");
    const key = await findKey(c.env.DB, tenantId, keyId);
    if (!key) throw new Problem("not-found", "There is no such key.");
    return c.json(presentKey(key), 200);
  });

const change = createRoute({
  method: "patch",
  path: "/v1/keys/{id}",
  operationId: "changeKey",
  tags: ["keys"],
  summary: "Change an API key's name, expiry and limits",
  description:
    "Needs the scope `admin`. Omitted fields stay as they are; `null` removes a limit. The change applies from the next request on. The scopes of a key do not change: create another key.",
  security: [{ bearer: [] }],
  middleware: [requires("admin"), jsonBody(16 * KIB)] as const,
  request: {
    params: z.object({ id: z.string() }),
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z
            .strictObject({
              name: name.optional(),
              expires_at: z.iso.datetime().nullable().optional(),
              rate_per_minute: ratePerMinute.nullable().optional(),
              monthly_pages: monthlyPages.nullable().optional(),
              concurrent_jobs: concurrentJobs.nullable().optional(),
              allowed_cidrs: allowedCidrs
                .nullable()
                .optional()
                .openapi({ example: ["203.0.113.0/24"] }),
            })
            .refine((body) => Object.keys(body).length > 0, "name at least one field")
            .openapi("ChangeApiKey"),
        },
      },
    },
  },
  responses: {
    200: { description: "The key", content: { "application/json": { schema: ApiKey } } },
    ...problems(JSON_BODY, "not-found"),
  },
});

/** `null` and `undefined` stay what they are. */
const mapped = <T, U>(value: T | null | undefined, map: (value: T) => U): U | null | undefined =>
  value === null || value === undefined ? (value as null | undefined) : map(value);

export const keysChange = (app: App) =>
  app.openapi(change, async (c) => {
    const { id } = c.req.valid("param");
    const body = c.req.valid("json");
    const { tenantId, keyId } = c.get("caller");
    const changes = {
      name: body.name,
      expiresAt: mapped(body.expires_at, Date.parse),
      ratePerMinute: body.rate_per_minute,
      monthlyPages: body.monthly_pages,
      concurrentJobs: body.concurrent_jobs,
      allowedCidrs: mapped(body.allowed_cidrs, (list) =>
        list.map((text) => normalCidr(text) as string),
      ),
    };
    const hash = await changeKey(c.env.DB, tenantId, id, changes, keyId);
    if (hash === null) throw new Problem("not-found", "There is no such key.");
    await rateLimiterOf(c.env, hash).refresh();
    await noteKeyChange(c.env, tenantId, "key.changed", id, keyId);
    return c.json(presentKey((await findKey(c.env.DB, tenantId, id)) as StoredKey), 200);
  });

const revoke = createRoute({
  method: "delete",
  path: "/v1/keys/{id}",
  operationId: "revokeKey",
  tags: ["keys"],
  summary: "Revoke an API key",
  description:
    "The key is rejected from the next request on. Needs the scope `admin`; any key may revoke itself.",
  security: [{ bearer: [] }],
  middleware: authenticated,
  request: { params: z.object({ id: z.string() }) },
  responses: { 204: { description: "Revoked" }, ...problems("not-found") },
});

export const keysDelete = (app: App) =>
  app.openapi(revoke, async (c) => {
    const { id } = c.req.valid("param");
    const caller = c.get("caller");
    if (id !== caller.keyId) demandScope(caller, "admin");
    const hash = await revokeKey(c.env.DB, caller.tenantId, id, Date.now(), caller.keyId);
    if (hash === null) throw new Problem("not-found", "There is no such key.");
    await rateLimiterOf(c.env, hash).refresh();
    await noteKeyChange(c.env, caller.tenantId, "key.revoked", id, caller.keyId);
    return c.body(null, 204);
  });
