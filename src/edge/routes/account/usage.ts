/** GET /v1/usage */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { costOf, microsOf } from "../../domain/keys/day-limits.ts";
import { requires } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import { readUsage } from "../../storage/usage.ts";

const day = z.iso.date().openapi({ example: "2026-11-24" });
const count = z.int().min(0);

const counts = {
  pages_read: count.openapi({ description: "Pages that a worker read for this key" }),
  pages_shared: count.openapi({
    description: "Pages that were being read for another request at the same time",
  }),
  pages_cached: count.openapi({ description: "Pages from the cache" }),
  pages_failed: count.openapi({ description: "Pages that a worker could not read" }),
  vision_tokens: count,
  text_tokens: count,
  pages_from_tokens: count.openapi({
    description: "Pages read that were decoded from kept vision tokens",
  }),
  extractions: count.openapi({
    description: "Extractions that a model has made; `model` is that of the provider",
  }),
  extractions_cached: count.openapi({ description: "Extractions from the cache" }),
  extraction_input_tokens: count.openapi({
    description:
      "Tokens that the provider has counted, also those of extractions that failed, of summaries of contexts and of searches by meaning",
  }),
  extraction_output_tokens: count,
  cost_usd: z.number().min(0).openapi({
    description:
      "Cost of the pages read, by the model's price per page, and of the tokens of extractions, summaries and searches by meaning, by the model's prices for these; 0 without a price",
  }),
};

const Row = z.object({ day, key_id: z.string(), model: z.string(), ...counts }).openapi("Usage");
const Total = z.object(counts).openapi("UsageTotal");

const route = createRoute({
  method: "get",
  path: "/v1/usage",
  operationId: "getUsage",
  tags: ["service"],
  summary: "Pages and tokens by day, key and model",
  description: "Days are UTC. Default: the last 30 days. At most 366 days.",
  security: [{ bearer: [] }],
  middleware: [requires("read")] as const,
  request: {
    query: z.strictObject({
      from: day.optional(),
      to: day.optional(),
      key: z
        .string()
        .max(64)
        .optional()
        .openapi({ description: "Only usage of the key with this id" }),
      model: z.string().max(64).optional(),
    }),
  },
  responses: {
    200: {
      description: "One row per day, key and model with any usage, oldest first, and their sum",
      content: { "application/json": { schema: z.object({ data: z.array(Row), total: Total }) } },
    },
    ...problems("invalid-request"),
  },
});

const DAY_MS = 86_400_000;
const iso = (at: number) => new Date(at).toISOString().slice(0, 10);

export const usage = (app: App) =>
  app.openapi(route, async (c) => {
    const query = c.req.valid("query");
    const to = query.to ?? iso(Date.now());
    const from = query.from ?? iso(Date.parse(to) - 29 * DAY_MS);
    const days = (Date.parse(to) - Date.parse(from)) / DAY_MS + 1;
    if (days < 1 || days > 366)
      throw new Problem("invalid-request", "from, to: between 1 and 366 days, in order");
    const { tenantId } = c.get("caller");
    const only = { keyId: query.key, model: query.model };
    const rows = await readUsage(c.env.DB, tenantId, from, to, only);
    const { PRICES, EXTRACT_PRICES } = settings(c.env);
    const data = rows.map((row) => {
      const price = EXTRACT_PRICES[row.model] ?? { input: 0, output: 0 };
      const tokens = { input: row.extraction_input_tokens, output: row.extraction_output_tokens };
      const pages = costOf(row.pages_read, PRICES[row.model] ?? 0).micros;
      return { ...row, cost_usd: dollars(pages + microsOf(tokens, price)) };
    });
    return c.json({ data, total: sumOf(data) }, 200);
  });

const dollars = (micros: number) => micros / 1_000_000;

function sumOf(rows: z.infer<typeof Total>[]): z.infer<typeof Total> {
  const sum = (name: keyof typeof counts) => rows.reduce((n, row) => n + row[name], 0);
  return {
    pages_read: sum("pages_read"),
    pages_shared: sum("pages_shared"),
    pages_cached: sum("pages_cached"),
    pages_failed: sum("pages_failed"),
    pages_from_tokens: sum("pages_from_tokens"),
    vision_tokens: sum("vision_tokens"),
    text_tokens: sum("text_tokens"),
    extractions: sum("extractions"),
    extractions_cached: sum("extractions_cached"),
    extraction_input_tokens: sum("extraction_input_tokens"),
    extraction_output_tokens: sum("extraction_output_tokens"),
    cost_usd: dollars(Math.round(sum("cost_usd") * 1_000_000)),
  };
}
