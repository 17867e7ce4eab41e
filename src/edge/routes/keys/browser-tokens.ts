/** POST /v1/tokens: a short-lived token for a browser. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { idPattern, newId } from "../../domain/ids.ts";
import { makeBrowserToken, TOKEN_SCOPES, TOKEN_TTL_S } from "../../domain/keys/browser-token.ts";
import { authenticated, demandScope } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, KIB } from "../../http/body.ts";
import { problems } from "../../http/problem.ts";
import { bearerToken } from "../../security/bearer.ts";
import { settings } from "../../settings.ts";
import { hashKey } from "../../storage/keys.ts";

const Body = z
  .strictObject({
    scope: z.enum(TOKEN_SCOPES).openapi({
      description: "`write`: start one job · `read`: read one job",
    }),
    job: z.string().regex(idPattern("job"), "not a job id").optional().openapi({
      description: "The job. Default: the id of a new job, which a `write` token can start once",
      example: "job_01jdf7k2m4c8q6w0e5r9t1y3",
    }),
  })
  .openapi("NewBrowserToken");

const BrowserTokenSchema = z
  .object({
    token: z.string().openapi({ example: "fov_tok_WyJ0b2tf…" }),
    scope: z.enum(TOKEN_SCOPES),
    job_id: z.string().openapi({ example: "job_01jdf7k2m4c8q6w0e5r9t1y3" }),
    expires_at: z.iso.datetime(),
  })
  .openapi("BrowserToken");

const route = createRoute({
  method: "post",
  path: "/v1/tokens",
  operationId: "createToken",
  tags: ["keys"],
  summary: "Create a token for a browser",
  description:
    "Valid for five minutes, for one scope and one job; sent as a Bearer token like an API key. The calling key must have the scope itself. Tokens are not stored; they become invalid when their key is revoked or expires. Each token has its own rate limit.",
  security: [{ bearer: [] }],
  middleware: [authenticated, jsonBody(KIB)] as const,
  request: { body: { required: true, content: { "application/json": { schema: Body } } } },
  responses: {
    201: {
      description: "The token",
      content: { "application/json": { schema: BrowserTokenSchema } },
    },
    ...problems(JSON_BODY),
  },
});

export const tokensCreate = (app: App) =>
  app.openapi(route, async (c) => {
    const { scope, job } = c.req.valid("json");
    demandScope(c.get("caller"), scope);
    const now = Date.now();
    const jobId = job ?? newId("job", now);
    const expires = Math.floor(now / 1000) + TOKEN_TTL_S;
    const keyHash = await hashKey(bearerToken(c.req.header("authorization")) as string);
    const token = await makeBrowserToken(settings(c.env).SIGNING_SECRET, {
      id: newId("tok", now),
      keyHash,
      scope,
      jobId,
      expires,
    });
    const expiresAt = new Date(expires * 1000).toISOString();
    const answer = { token, scope, job_id: jobId, expires_at: expiresAt };
    return c.json(answer, 201, { "cache-control": "no-store" });
  });
