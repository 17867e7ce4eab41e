/** GET /health (this Worker responds) and GET /ready (so does everything it needs). */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { upstream } from "../../dispatch/index.ts";
import { settings } from "../../settings.ts";
import { databaseAnswers } from "../../storage/metrics.ts";

const Health = z.object({ status: z.literal("ok") }).openapi("Health");

const Ready = z
  .object({
    status: z.enum(["ready", "not-ready"]),
    phases: z.object({
      settings: z.boolean(),
      database: z.boolean(),
      storage: z.boolean(),
      workers: z.boolean(),
    }),
    workers: z.array(z.object({ state: z.string() })),
  })
  .openapi("Ready");

const health = createRoute({
  method: "get",
  path: "/health",
  operationId: "health",
  tags: ["service"],
  summary: "Check liveness",
  responses: { 200: { description: "Alive", content: { "application/json": { schema: Health } } } },
});

const content = { "application/json": { schema: Ready } };

const ready = createRoute({
  method: "get",
  path: "/ready",
  operationId: "ready",
  tags: ["service"],
  summary: "Check readiness, by component",
  description: "Without a ready worker, cached pages are still served and new pages wait.",
  responses: {
    200: { description: "New pages can be read", content },
    503: { description: "Something is not available: see `phases`", content },
  },
});

export const healthRoutes = (app: App) => {
  app.openapi(health, (c) => c.json({ status: "ok" as const }, 200));

  app.openapi(ready, async (c) => {
    const works = (probe: () => Promise<unknown>) =>
      probe().then(
        () => true,
        () => false,
      );
    const [configured, database, storage] = await Promise.all([
      works(async () => settings(c.env)),
      works(() => databaseAnswers(c.env.DB)),
      works(() => c.env.BUCKET.head("health")),
    ]);
    const pools = configured ? settings(c.env).POOLS : [];
    const looks = await Promise.all(pools.map((pool) => upstream(c.env, pool).health()));
    const phases = {
      settings: configured,
      database,
      storage,
      workers: looks.some(({ healthy }) => healthy),
    };
    const all = Object.values(phases).every(Boolean);
    // This route is public, so it does not show names and addresses of the pools.
    const workers = looks.map(({ state }) => ({ state }));
    return c.json(
      { status: all ? ("ready" as const) : ("not-ready" as const), phases, workers },
      all ? 200 : 503,
    );
  });
};
