/** GET /metrics for Prometheus: a tenant's metrics with an `admin` key, the service's with the bootstrap secret. */
import { createRoute, z } from "@hono/zod-openapi";
import { createMiddleware } from "hono/factory";
import type { PoolReport } from "../../bindings.ts";
import type { App, AppEnv, Caller } from "../../context.ts";
import { schedulerOf } from "../../dispatch/scheduler.ts";
import { OPEN_STATES } from "../../domain/jobs/job.ts";
import { CONTENT_TYPE, type Metric, prometheusText } from "../../formats/prometheus.ts";
import { authenticate, demandScope } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { bearerMatches } from "../../security/bearer.ts";
import { settings } from "../../settings.ts";
import { readTotals, type Totals } from "../../storage/metrics.ts";

/** Admits the operator and administrators of tenants. */
const door = createMiddleware<AppEnv>(async (c, next) => {
  const header = c.req.header("authorization") ?? null;
  if (!(await bearerMatches(header, settings(c.env).BOOTSTRAP_SECRET))) {
    const caller = await authenticate(c);
    demandScope(caller, "admin");
    c.set("caller", caller);
  }
  await next();
});

const route = createRoute({
  method: "get",
  path: "/metrics",
  operationId: "getMetrics",
  tags: ["service"],
  summary: "Get metrics in the Prometheus text format",
  description:
    "With the scope `admin`: metrics of that account. With the bootstrap secret as a Bearer token: metrics of the whole service and its pools.",
  security: [{ bearer: [] }],
  middleware: [door] as const,
  responses: {
    200: {
      description: "Metrics",
      content: {
        "text/plain": {
          schema: z.string().openapi({ example: 'fovea_jobs_open{state="running"} 2\n' }),
        },
      },
    },
    ...problems(),
  },
});

export const metrics = (app: App) =>
  app.openapi(route, async (c) => {
    const caller = c.get("caller") as Caller | undefined;
    const [totals, { pools, pages }] = await Promise.all([
      readTotals(c.env.DB, caller?.tenantId ?? null),
      schedulerOf(c.env).report(caller?.tenantId),
    ]);
    const all = [...ofAccount(totals, pages), ...(caller ? [] : ofPools(pools))];
    return c.text(prometheusText(all), 200, { "content-type": CONTENT_TYPE });
  });

function ofAccount(totals: Totals, pages: { waiting: number; working: number }): Metric[] {
  const sources = ["read", "shared", "cached", "failed"] as const;
  return [
    {
      name: "fovea_pages_total",
      type: "counter",
      help: "Pages delivered, by model and source.",
      samples: totals.usage.flatMap((row) =>
        sources.map((source) => ({ labels: { model: row.model, source }, value: row[source] })),
      ),
    },
    {
      name: "fovea_tokens_total",
      type: "counter",
      help: "Tokens of pages read.",
      samples: totals.usage.flatMap((row) =>
        (["vision", "text"] as const).map((kind) => ({
          labels: { model: row.model, kind },
          value: row[kind],
        })),
      ),
    },
    {
      name: "fovea_jobs_open",
      type: "gauge",
      help: "Jobs that have not ended.",
      samples: OPEN_STATES.map((state) => ({
        labels: { state },
        value: totals.openJobs.find((row) => row.state === state)?.n ?? 0,
      })),
    },
    {
      name: "fovea_pages_in_work",
      type: "gauge",
      help: "Pages that wait for a slot, and pages that have one.",
      samples: [
        { labels: { state: "waiting" }, value: pages.waiting },
        { labels: { state: "working" }, value: pages.working },
      ],
    },
  ];
}

function ofPools(pools: PoolReport[]): Metric[] {
  const each = (
    name: string,
    type: Metric["type"],
    help: string,
    value: (pool: PoolReport) => number,
  ): Metric => ({
    name: `fovea_pool_${name}`,
    type,
    help,
    samples: pools.map((pool) => ({ labels: { pool: pool.name }, value: value(pool) })),
  });
  const phases = ["closed", "half-open", "open"] as const;
  return [
    each("slots", "gauge", "Shards that the pool runs at once.", ({ slots }) => slots),
    each("slots_taken", "gauge", "Shards that the pool is running.", ({ taken }) => taken),
    each("draining", "gauge", "Whether the pool gets no new shards.", ({ draining }) =>
      Number(draining),
    ),
    {
      name: "fovea_pool_breaker",
      type: "gauge",
      help: "1 for the current phase of the circuit breaker.",
      samples: pools.flatMap((pool) =>
        phases.map((phase) => ({
          labels: { pool: pool.name, phase },
          value: Number(pool.breaker === phase),
        })),
      ),
    },
    each(
      "dispatched_total",
      "counter",
      "Shards that the pool accepted.",
      (pool) => pool.dispatched,
    ),
    each("refused_total", "counter", "Shards that the pool refused.", (pool) => pool.refused),
    each("lost_total", "counter", "Shards whose lease expired.", (pool) => pool.lost),
    each(
      "first_word_seconds_sum",
      "counter",
      "Time from dispatch to the first message.",
      (pool) => pool.coldMs / 1000,
    ),
    each("first_word_seconds_count", "counter", "First messages.", (pool) => pool.coldCount),
  ];
}
