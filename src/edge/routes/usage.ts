/** GET /v1/usage */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../app.ts";
import { requires } from "../http/auth.ts";
import { Problem, problems } from "../http/problem.ts";
import { readUsage } from "../storage/usage.ts";

const day = z.iso.date().openapi({ example: "2026-11-24" });
const count = z.int().min(0);

const Row = z
  .object({
    day,
    key_id: z.string(),
    model: z.string(),
    pages_read: count.openapi({ description: "Read by a worker for this key" }),
    pages_shared: count.openapi({ description: "Read once for several requests, another one's" }),
    pages_cached: count.openapi({ description: "From the cache" }),
    vision_tokens: count,
    text_tokens: count,
  })
  .openapi("Usage");

const route = createRoute({
  method: "get",
  path: "/v1/usage",
  operationId: "getUsage",
  tags: ["service"],
  summary: "Pages and tokens by day, key and model",
  description: "Days are UTC. Default: the last 30 days. At most 366 days at once.",
  security: [{ bearer: [] }],
  middleware: [requires("read")] as const,
  request: { query: z.strictObject({ from: day.optional(), to: day.optional() }) },
  responses: {
    200: {
      description: "The rows in which anything happened, oldest first",
      content: { "application/json": { schema: z.object({ data: z.array(Row) }) } },
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
    return c.json({ data: await readUsage(c.env.DB, c.get("caller").tenantId, from, to) }, 200);
  });
