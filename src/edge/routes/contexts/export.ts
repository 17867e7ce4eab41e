/** GET /v1/contexts/{id}/export: everything that a context contains, as JSON lines. */
import { createRoute, z } from "@hono/zod-openapi";
import { stream } from "hono/streaming";
import type { App } from "../../context.ts";
import { base64 } from "../../domain/encoding.ts";
import { requires } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { contents, openPage, readTexts } from "../../storage/contexts.ts";
import { contextParams, contextView, demandContext, messageView } from "./view.ts";

const route = createRoute({
  method: "get",
  path: "/v1/contexts/{id}/export",
  operationId: "exportContext",
  tags: ["contexts"],
  summary: "Export a context",
  description:
    "JSON lines: the `context`, each `message` (with its text, if there still is one, and its image), and each `page` of an image as a PNG in base64.",
  security: [{ bearer: [] }],
  middleware: [requires("read")] as const,
  request: { params: contextParams },
  responses: {
    200: {
      description: "The lines",
      content: { "application/jsonl": { schema: z.string() } },
    },
    ...problems("not-found"),
  },
});

/** Number of texts in memory at once. */
const WINDOW = 100;

export const contextsExport = (app: App) =>
  app.openapi(route, async (c) => {
    const { env } = c;
    const context = await demandContext(c, c.req.valid("param").id);
    const { messages, items } = await contents(env.DB, context.id);
    const forms = new Map(items.map(({ id, form }) => [id, form]));
    c.header("content-type", "application/jsonl");
    return stream(c, async (out) => {
      const write = (line: object) => out.write(`${JSON.stringify(line)}\n`);
      await write({ type: "context", ...contextView(context) });
      for (let i = 0; i < messages.length; i += WINDOW) {
        const some = messages.slice(i, i + WINDOW);
        const texts = await readTexts(
          env.BUCKET,
          context,
          some.filter(({ erased }) => !erased).map(({ number }) => number),
        );
        for (const message of some)
          await write({
            type: "message",
            ...messageView(message, forms.get(message.itemId ?? "") ?? "text"),
            text: texts.get(message.number) ?? null,
            image: message.itemId,
          });
      }
      for (const item of items)
        for (const [page, { fileId, ...shown }] of item.pages.entries()) {
          const object = await openPage(env.BUCKET, context, fileId);
          if (!object) continue;
          await write({
            type: "page",
            image: item.id,
            form: item.form,
            page: page + 1,
            width: shown.width,
            height: shown.height,
            tokens: shown.tokens,
            first_message: shown.first,
            last_message: shown.last,
            png: base64(await object.arrayBuffer()),
          });
        }
    }) as never;
  });
