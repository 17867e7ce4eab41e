/** GET /v1/jobs/{id}/delivery: whether the result was put to the address that the request gave. */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { PageError } from "../../domain/pages/page-result.ts";
import { requires } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { Problem } from "../../problem.ts";
import { findJob } from "../../storage/jobs.ts";
import { deliveryOfJob } from "../../storage/output-deliveries.ts";

const ResultDelivery = z
  .object({
    job_id: z.string(),
    state: z.enum(["pending", "delivered", "failed"]),
    failures: z.int().openapi({ description: "Failed attempts" }),
    error: PageError.nullable().openapi({ description: "Of the last attempt, if it has failed" }),
    etag: z.string().nullable().openapi({ description: "What the receiver has called the object" }),
    finished_at: z.iso.datetime().nullable(),
  })
  .openapi("ResultDelivery");

const route = createRoute({
  method: "get",
  path: "/v1/jobs/{id}/delivery",
  operationId: "getResultDelivery",
  tags: ["jobs"],
  summary: "Whether a result was delivered to `deliver`",
  description: "404 if the request for the job has not asked for a delivery.",
  security: [{ bearer: [] }],
  middleware: [requires("read")] as const,
  request: { params: z.object({ id: z.string() }) },
  responses: {
    200: {
      description: "The delivery",
      content: { "application/json": { schema: ResultDelivery } },
    },
    ...problems("not-found"),
  },
});

export const jobsDelivery = (app: App) =>
  app.openapi(route, async (c) => {
    const { id } = c.req.valid("param");
    const job = await findJob(c.env.DB, c.get("caller").tenantId, id);
    const delivery = job && (await deliveryOfJob(c.env.DB, id));
    if (!delivery) throw new Problem("not-found", "No such job, or none with a delivery.");
    const { state, failures, error, etag, finishedAt } = delivery;
    return c.json(
      {
        job_id: id,
        state: state === "waiting" ? "pending" : state,
        failures,
        error,
        etag: etag || null,
        finished_at: finishedAt === null ? null : new Date(finishedAt).toISOString(),
      },
      200,
    );
  });
