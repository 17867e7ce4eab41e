/** GET /v1/contexts/{id}/loss: how clear each message still is, and what was found when it was read. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { partsOf, partTokens } from "../../contexts/memories.ts";
import { requires } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { contents } from "../../storage/contexts.ts";
import { ContextTokens, tokensOf } from "./show.ts";
import {
  contextParams,
  demandContext,
  MessageSchema,
  messageView,
  Precision,
  precisionOf,
  round,
} from "./view.ts";

const Loss = z
  .object({
    context_id: z.string(),
    tokens: ContextTokens,
    messages: z.array(
      MessageSchema.extend({
        tokens: z.number().openapi({ description: "Its share of its image's, or its text's" }),
        compression: z.number().nullable(),
        expected_precision: Precision,
        recall: z
          .union([
            z.object({
              model: z.string(),
              model_digest: z.string(),
              verdict: z.string(),
              cer: z.number().nullable().openapi({ description: "Where the original is kept" }),
              verified: z.boolean().openapi({
                description: "Whether the words had the hash of the original's",
              }),
              at: z.iso.datetime(),
            }),
            z.null(),
          ])
          .openapi({
            description: "Its last reading on this rung; nothing is read for this report",
          }),
      }),
    ),
  })
  .openapi("LossReport");

const route = createRoute({
  method: "get",
  path: "/v1/contexts/{id}/loss",
  operationId: "getContextLoss",
  tags: ["contexts"],
  summary: "What has been lost",
  description:
    "For each message its rung, what it costs and how well it can be expected to be read; where it was recalled, what was measured.",
  security: [{ bearer: [] }],
  middleware: [requires("read")] as const,
  request: { params: contextParams },
  responses: {
    200: { description: "The report", content: { "application/json": { schema: Loss } } },
    ...problems("not-found"),
  },
});

export const contextsLoss = (app: App) =>
  app.openapi(route, async (c) => {
    const context = await demandContext(c, c.req.valid("param").id);
    const { messages, items } = await contents(c.env.DB, context.id);
    const parts = partsOf(messages, items);
    const rows = parts.flatMap((part) => {
      const whole = part.messages.reduce((sum, { textTokens }) => sum + textTokens, 0);
      return part.messages.map((message) => {
        const { compression, expected } = precisionOf(part, message);
        const { recall } = message;
        return {
          ...messageView(message, part.item?.form ?? "text"),
          tokens: round((partTokens(part) * message.textTokens) / (whole || 1)),
          compression,
          expected_precision: expected,
          recall: recall && {
            model: recall.model,
            model_digest: recall.digest,
            verdict: recall.verdict,
            cer: recall.cer,
            verified: recall.verified,
            at: new Date(recall.at).toISOString(),
          },
        };
      });
    });
    rows.sort((a, b) => a.number - b.number);
    return c.json({ context_id: context.id, tokens: tokensOf(parts), messages: rows }, 200);
  });
