/** GET /v1/pools: the pools, their health and the queue, for the operator. */
import { createRoute, z } from "@hono/zod-openapi";
import type { PoolSurvey } from "../../bindings.ts";
import type { App } from "../../context.ts";
import { schedulerOf } from "../../dispatch/scheduler.ts";
import type { Pool } from "../../domain/pools/pool.ts";
import { operator } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { settings } from "../../settings.ts";

const time = z.iso.datetime();
const count = z.int().min(0);

const PoolSchema = z
  .object({
    name: z.string().openapi({ example: "main" }),
    type: z.enum(["cog", "replicate"]),
    address: z.string().openapi({
      description: "Origin of the Cog server, or name of the Replicate deployment",
      example: "http://127.0.0.1:5000",
    }),
    models: z.array(z.string()),
    slots: count,
    taken: count.openapi({ description: "Slots in use" }),
    draining: z.boolean().openapi({ description: "It gets no new shards" }),
    starting: z.boolean().openapi({ description: "It was still starting when last asked" }),
    resting_until: time.nullable().openapi({
      description:
        "It was full, was starting or did not answer, and gets no shard before this time",
    }),
    breaker: z.object({
      state: z.enum(["closed", "open", "half-open"]),
      strikes: count.openapi({ description: "Failures since it last worked; three open it" }),
      open_until: time.nullable().openapi({ description: "When one shard may try again" }),
    }),
    probe: z
      .object({
        at: time,
        healthy: z.boolean(),
        state: z.string().openapi({
          description: "The pool's own word, or `UNREACHABLE` or `LATE`",
          example: "READY",
        }),
      })
      .nullable()
      .openapi({
        description: "The last health check, made once a minute; `null` before the first",
      }),
    counters: z
      .object({
        dispatched: count,
        refused: count.openapi({ description: "Shards that it did not accept" }),
        lost: count.openapi({ description: "Shards that it accepted and lost" }),
        first_word_ms: count.nullable().openapi({
          description: "Mean time from dispatch to the worker's first message",
        }),
      })
      .openapi({ description: "Since `counters_since`" }),
  })
  .openapi("Pool");

const PoolsSchema = z
  .object({
    pools: z.array(PoolSchema),
    counters_since: time.openapi({
      description: "When the scheduler started; without work it stops after a while",
    }),
    queue: z.object({
      shards: count.openapi({ description: "Shards that wait for a slot" }),
      pages: count,
      batch_pages: count.openapi({ description: "Pages of them that only batches wait for" }),
      tenants: count,
      oldest_at: time.nullable().openapi({ description: "Since when the oldest shard waits" }),
    }),
  })
  .openapi("Pools");

const route = createRoute({
  method: "get",
  path: "/v1/pools",
  operationId: "getPools",
  tags: ["service"],
  summary: "The pools that read pages, their health, and the queue",
  description:
    "Only for the operator: with the bootstrap secret as a Bearer token. Pools are shared by all tenants, so a key of a tenant gets 403.",
  security: [{ bearer: [] }],
  middleware: [operator] as const,
  responses: {
    200: { description: "The pools", content: { "application/json": { schema: PoolsSchema } } },
    ...problems("operator-only"),
  },
});

export const pools = (app: App) =>
  app.openapi(route, async (c) => {
    const { POOLS, MODELS } = settings(c.env);
    const { since, pools, queue } = await schedulerOf(c.env).survey();
    const settingOf = (name: string) => POOLS.find((pool) => pool.name === name);
    const answer = {
      pools: pools.flatMap((pool) => {
        const setting = settingOf(pool.name);
        return setting ? [present(pool, addressOf(setting), setting.models ?? MODELS)] : [];
      }),
      counters_since: new Date(since).toISOString(),
      queue: {
        shards: queue.shards,
        pages: queue.pages,
        batch_pages: queue.batchPages,
        tenants: queue.tenants,
        oldest_at: iso(queue.oldestAt),
      },
    };
    return c.json(answer, 200, { "cache-control": "no-store" });
  });

/** Without a path and without credentials, which a URL may have. */
const addressOf = (pool: Pool) =>
  pool.type === "cog" ? new URL(pool.url).origin : pool.deployment;

const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString());

const present = (
  pool: PoolSurvey,
  address: string,
  models: string[],
): z.infer<typeof PoolSchema> => ({
  name: pool.name,
  type: pool.type,
  address,
  models,
  slots: pool.slots,
  taken: pool.taken,
  draining: pool.draining,
  starting: pool.starting,
  resting_until: iso(pool.restUntil),
  breaker: { state: pool.breaker, strikes: pool.strikes, open_until: iso(pool.openUntil) },
  probe: pool.probe && {
    at: new Date(pool.probe.at).toISOString(),
    healthy: pool.probe.healthy,
    state: pool.probe.state,
  },
  counters: {
    dispatched: pool.dispatched,
    refused: pool.refused,
    lost: pool.lost,
    first_word_ms: pool.coldCount > 0 ? Math.round(pool.coldMs / pool.coldCount) : null,
  },
});
