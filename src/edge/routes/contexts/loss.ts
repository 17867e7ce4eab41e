/** GET /v1/contexts/{id}/loss: how legible each message still is, expected and measured. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { partsOf, partTokens, precisionOf, round, tokensOf } from "../../contexts/memories.ts";
import { requires } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { contents } from "../../storage/contexts.ts";
import { ContextTokens } from "./show.ts";
import { contextParams, demandContext, MessageSchema, messageView, Precision } from "./view.ts";

const Loss = z
  .object({
    context_id: z.string(),
    tokens: ContextTokens,
    messages: z.array(
      MessageSchema.extend({
        tokens: z
          .number()
          .openapi({ description: "Tokens of its text, or its share of the tokens of its image" }),
        compression: z.number().nullable(),
        expected_precision: Precision,
        recall: z
          .union([
            z.object({
              model: z.string(),
              model_digest: z.string(),
              verdict: z.string(),
              cer: z
                .number()
                .nullable()
                .openapi({ description: "`null` unless the original is kept" }),
              verified: z.boolean().openapi({
                description: "Whether the words have the same hash as those of the original",
              }),
              at: z.iso.datetime(),
            }),
            z.null(),
          ])
          .openapi({
            description: "The last reading on this rung; the report itself reads nothing",
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
  summary: "Report what has been lost",
  description:
    "For each message: its rung, its tokens and the expected precision; if it was recalled, also what was measured.",
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
