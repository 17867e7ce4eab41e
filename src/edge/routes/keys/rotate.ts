/** POST /v1/keys/{id}/rotate: replaces a key; the old one remains valid for a while. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { newId } from "../../domain/ids.ts";
import { keyHint, newApiKey } from "../../domain/keys/api-key.ts";
import { requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, KIB } from "../../http/body.ts";
import { IDEMPOTENT, idempotent } from "../../http/idempotency.ts";
import { problems } from "../../http/problem.ts";
import { noteKeyChange } from "../../keys/notice.ts";
import { rateLimiterOf } from "../../keys/rate-limiter.ts";
import { Problem } from "../../problem.ts";
import { findKey, hashKey, replaceKey } from "../../storage/keys.ts";
import { CreatedKey } from "./create.ts";
import { presentKey } from "./view.ts";

const Body = z
  .strictObject({
    overlap_s: z
      .int()
      .min(0)
      .max(30 * 86_400)
      .default(86_400)
      .openapi({ description: "Seconds for which the old key remains valid" }),
  })
  .openapi("RotateApiKey");

const route = createRoute({
  method: "post",
  path: "/v1/keys/{id}/rotate",
  operationId: "rotateKey",
  tags: ["keys"],
  summary: "Replace an API key",
  description: "The new key has the old one's name, scopes and limits.",
  security: [{ bearer: [] }],
  middleware: [requires("admin"), jsonBody(KIB), idempotent] as const,
  request: {
    params: z.object({ id: z.string() }),
    body: { required: true, content: { "application/json": { schema: Body } } },
  },
  responses: {
    201: {
      description: "The new key, shown in full only once",
      content: { "application/json": { schema: CreatedKey } },
    },
    ...problems(JSON_BODY, IDEMPOTENT, "not-found"),
  },
});

export const keysRotate = (app: App) =>
  app.openapi(route, async (c) => {
    const { id } = c.req.valid("param");
    const { overlap_s } = c.req.valid("json");
    const old = await findKey(c.env.DB, c.get("caller").tenantId, id);
    if (!old || old.revokedAt !== null) throw new Problem("not-found", "There is no such key.");
    const now = Date.now();
    const key = newApiKey(old.environment);
    const stored = {
      ...old,
      id: newId("key", now),
      hint: keyHint(key),
      createdAt: now,
      lastUsedAt: null,
      expiresAt: null,
    };
    const { keyId } = c.get("caller");
    const ends = now + overlap_s * 1000;
    const hash = await replaceKey(c.env.DB, old.id, ends, stored, await hashKey(key), keyId);
    await rateLimiterOf(c.env, hash).refresh();
    await noteKeyChange(c.env, old.tenantId, "key.rotated", old.id, keyId);
    return c.json({ ...presentKey(stored), key }, 201, { "cache-control": "no-store" });
  });
