/** GET /v1/contexts/{id}/images/{item}/{page}: a page of an image, for callers with a key or a signed URL. */
import { createRoute, z } from "@hono/zod-openapi";
import { createMiddleware } from "hono/factory";
import type { App, AppEnv } from "../../context.ts";
import { requires } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { isSignedImageUrl } from "../../security/image-url.ts";
import { settings } from "../../settings.ts";
import { openFile, pageFile } from "../../storage/files.ts";
import { findRender } from "../../storage/memory/segments.ts";
import { demandContext } from "./shapes.ts";

const withKey = requires("read");

/** URLs from a view are signed; others need a key. */
const signedOrKey = createMiddleware<AppEnv>(async (c, next) =>
  c.req.query("signature") === undefined ? withKey(c, next) : next(),
);

const route = createRoute({
  method: "get",
  path: "/v1/contexts/{id}/images/{item}/{page}",
  operationId: "getContextImage",
  tags: ["contexts"],
  summary: "Get a page image of a context",
  description:
    "The URLs in a view are signed: they are valid for at least one hour and need no API key. An image is deleted when views show its segment in a fainter form.",
  security: [{ bearer: [] }],
  middleware: [signedOrKey] as const,
  request: {
    params: z.object({
      id: z.string(),
      item: z.string(),
      page: z.coerce.number().int().min(1).openapi({ type: "integer", minimum: 1 }),
    }),
    query: z.strictObject({
      expires: z.coerce.number().int().default(0).openapi({ type: "integer" }),
      signature: z.string().max(100).optional(),
    }),
  },
  responses: {
    200: {
      description: "The image",
      content: { "image/png": { schema: { type: "string", format: "binary" } } },
    },
    ...problems("not-found", "invalid-request", "bad-signature"),
  },
});

export const contextsImages = (app: App) =>
  app.openapi(route, async (c) => {
    const { id, item: itemId, page } = c.req.valid("param");
    const { expires, signature } = c.req.valid("query");
    if (signature === undefined) await demandContext(c, id);
    else {
      const place = { contextId: id, itemId, page };
      const secret = settings(c.env).SIGNING_SECRET;
      if (!(await isSignedImageUrl(secret, place, { expires, signature }, Date.now())))
        throw new Problem("bad-signature", "The URL is not signed or has expired.");
    }
    const shown = (await findRender(c.env.DB, id, itemId))?.pages[page - 1];
    const file = shown && (await pageFile(c.env.DB, id, shown.fileId));
    const object = file && (await openFile(c.env.BUCKET, file));
    if (!object) throw new Problem("not-found", "The image does not exist (any more).");
    return c.body(object.body, 200, {
      "content-type": "image/png",
      "content-length": String(object.size),
      "cache-control": "private, max-age=3600",
      "x-content-type-options": "nosniff",
    });
  });
