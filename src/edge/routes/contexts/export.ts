/** GET /v1/contexts/{id}/export: everything that a context contains, as JSON lines. */
import { createRoute, z } from "@hono/zod-openapi";
import { stream } from "hono/streaming";
import type { App } from "../../context.ts";
import { contentsOf } from "../../contexts/texts.ts";
import { base64 } from "../../domain/encoding.ts";
import { requires } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { filePath } from "../../storage/files.ts";
import { listMessages } from "../../storage/memory/messages.ts";
import { contents } from "../../storage/memory/segments.ts";
import { withText } from "./messages.ts";
import { contextParams, contextView, demandContext } from "./shapes.ts";

const route = createRoute({
  method: "get",
  path: "/v1/contexts/{id}/export",
  operationId: "exportContext",
  tags: ["contexts"],
  summary: "Export a context",
  description:
    "JSON lines: the `context`, each `message` with its text, and each `page` of segments whose texts are erased, as a PNG in base64. `POST /v1/contexts/import` takes them.",
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

/** Number of messages in memory at once. */
const WINDOW = 200;

export const contextsExport = (app: App) =>
  app.openapi(route, async (c) => {
    const { env } = c;
    const context = await demandContext(c, c.req.valid("param").id);
    const { segments, renders } = await contents(env.DB, context.id);
    c.header("content-type", "application/jsonl");
    return stream(c, async (out) => {
      const write = (line: object) => out.write(`${JSON.stringify(line)}\n`);
      await write({ type: "context", ...contextView(context) });
      for (let from = 1; ; ) {
        const some = await listMessages(env.DB, context.id, from, WINDOW);
        const texts = await contentsOf(env, context, some, segments);
        for (const message of some)
          await write({ type: "message", ...withText(message, texts.get(message.number)) });
        const last = some.at(-1);
        if (!last) break;
        from = last.number + 1;
      }
      // Of other segments, images can be made again.
      const erased = new Map(segments.filter((one) => one.erased).map((one) => [one.id, one]));
      for (const render of renders)
        if (erased.has(render.segmentId) && render.state === "ready")
          for (const [i, page] of render.pages.entries()) {
            const { segmentId: segment, profile, form } = render;
            const { fileId, ...shown } = page;
            const object = await env.BUCKET.get(filePath({ ...context, id: fileId }));
            if (!object) continue;
            const png = base64(await object.arrayBuffer());
            await write({ type: "page", segment, profile, form, page: i + 1, ...shown, png });
          }
    }) as never;
  });
