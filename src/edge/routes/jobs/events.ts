/** GET /v1/jobs/{id}/events: Server-Sent Events, resumable with Last-Event-ID. */
import { createRoute, z } from "@hono/zod-openapi";
import { streamSSE } from "hono/streaming";
import type { App } from "../../context.ts";
import { browserMay } from "../../http/auth.ts";
import { problems } from "../../http/problem.ts";
import { followEvents } from "../../jobs/watch.ts";
import { Problem } from "../../problem.ts";
import { findJob } from "../../storage/jobs.ts";

const route = createRoute({
  method: "get",
  path: "/v1/jobs/{id}/events",
  operationId: "followJob",
  tags: ["jobs"],
  summary: "Follow a job with Server-Sent Events",
  description:
    "Events: `queued`, `running`, `page` (one per page), and the state in which the job ended. `extraction.completed`, with `extraction_id`, `state` and `error`, follows for each extraction of the job. The stream closes when the job and its extractions have ended. Reconnecting with `Last-Event-ID` continues after that event.",
  security: [{ bearer: [] }],
  middleware: [browserMay("read")] as const,
  request: {
    params: z.object({ id: z.string() }),
    headers: z.object({
      "last-event-id": z
        .string()
        .regex(/^\d{1,15}$/, "not an event id")
        .optional(),
    }),
  },
  responses: {
    200: {
      description: "The stream",
      content: { "text/event-stream": { schema: z.string() } },
    },
    ...problems("not-found", "invalid-request"),
  },
});

export const jobsEvents = (app: App) =>
  app.openapi(route, async (c) => {
    const { tenantId } = c.get("caller");
    const job = await findJob(c.env.DB, tenantId, c.req.valid("param").id);
    if (!job) throw new Problem("not-found", "No such job.");
    const lastId = Number(c.req.valid("header")["last-event-id"] ?? 0);
    return streamSSE(c, async (stream) => {
      for await (const event of followEvents(c.env, tenantId, job.id, lastId, {
        withExtractions: true,
      })) {
        if (stream.aborted) return;
        if (event === null) await stream.write(": still here\n\n");
        else {
          const { id, type, data } = event;
          await stream.writeSSE({ event: type, data, ...(id !== null && { id: String(id) }) });
        }
      }
    });
  });
