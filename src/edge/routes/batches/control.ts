/** POST /v1/batches/{id}/pause, /resume, /cancel and /retry */
import { createRoute, z } from "@hono/zod-openapi";
import type { App } from "../../context.ts";
import { type BatchState, isBatchOver } from "../../domain/batches/batch.ts";
import { requires } from "../../http/auth.ts";
import { idempotent } from "../../http/idempotency.ts";
import { problems } from "../../http/problem.ts";
import { Problem, type ProblemCode } from "../../problem.ts";
import { pokeBatch } from "../../signals/poke.ts";
import { retryFailures } from "../../storage/batch-lines.ts";
import { moveBatch } from "../../storage/batches.ts";
import { batchAnswer, batchView, demandBatch } from "./view.ts";

const control = (
  verb: string,
  summary: string,
  description: string,
  refusal: Extract<ProblemCode, "batch-over" | "batch-open">,
) =>
  createRoute({
    method: "post",
    path: `/v1/batches/{id}/${verb}`,
    operationId: `${verb}Batch`,
    tags: ["batches"],
    summary,
    description,
    security: [{ bearer: [] }],
    middleware: [requires("write"), idempotent] as const,
    request: { params: z.object({ id: z.string() }) },
    responses: {
      ...batchAnswer,
      ...problems(
        "not-found",
        "invalid-request",
        refusal,
        "idempotency-key-reused",
        "idempotency-in-flight",
      ),
    },
  });

/** What each verb makes of a batch that is not over. Done twice, it changes nothing more. */
const VERBS = [
  {
    route: control(
      "pause",
      "Pause a batch",
      "Lines that are open are read to their end; no other is begun.",
      "batch-over",
    ),
    from: ["running"],
    to: "paused",
  },
  {
    route: control("resume", "Resume a paused batch", "It goes on where it was.", "batch-over"),
    from: ["paused"],
    to: "running",
  },
  {
    route: control(
      "cancel",
      "Cancel a batch",
      "Open lines are called off. What was read until then stays in the output.",
      "batch-over",
    ),
    from: ["running", "paused"],
    to: "canceling",
  },
] as const satisfies { route: unknown; from: readonly BatchState[]; to: BatchState }[];

const retry = control(
  "retry",
  "Run the failed lines again",
  "Of a line that was read in part, only the pages that failed. Without failures nothing happens. For a batch that is completed or paused.",
  "batch-open",
);

export const batchesControl = (app: App) => {
  for (const { route, from, to } of VERBS)
    app.openapi(route, async (c) => {
      const { id, state } = await demandBatch(c, c.req.valid("param").id);
      const moved = await moveBatch(c.env.DB, id, from, to);
      if (!moved && isBatchOver(state))
        throw new Problem("batch-over", `The batch is ${state}: nothing is left of it to do.`);
      await pokeBatch(c.env, id);
      return c.json(batchView(await demandBatch(c, id)), 200);
    });

  app.openapi(retry, async (c) => {
    const batch = await demandBatch(c, c.req.valid("param").id);
    if (batch.state !== "completed" && batch.state !== "paused")
      throw new Problem("batch-open", `The batch is ${batch.state}, not completed or paused.`);
    await retryFailures(c.env.DB, batch);
    await pokeBatch(c.env, batch.id);
    return c.json(batchView(await demandBatch(c, batch.id)), 200);
  });
};
