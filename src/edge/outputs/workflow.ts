/** The driver of a delivery: a Workflow that takes its turns and sleeps between them. The state is in D1. */
import { WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep } from "cloudflare:workers";
import type { Env, OutputParams } from "../bindings.ts";
import { waitForEnd } from "../jobs/watch.ts";
import { Problem } from "../problem.ts";
import { workflowEnded } from "../storage/ended-workflows.ts";
import { advanceDelivery } from "./deliver.ts";

/** For which one turn waits for the job. */
const WAIT_MS = 45_000;

export class OutputWorkflow extends WorkflowEntrypoint<Env, OutputParams> {
  override async run(event: WorkflowEvent<OutputParams>, step: WorkflowStep): Promise<void> {
    const { deliveryId } = event.payload;
    const retries = { limit: 10, delay: "2 seconds", backoff: "exponential" } as const;
    for (let turn = 1; ; turn++) {
      const sleep = await step.do(`turn ${turn}`, { retries, timeout: "15 minutes" }, () =>
        this.#turn(deliveryId),
      );
      if (sleep === null) break;
      if (sleep > 0) await step.sleep(`sleep ${turn}`, sleep);
    }
    await step.do("end", { retries, timeout: "1 minute" }, () =>
      workflowEnded(this.env.DB, "OUTPUTS", event.instanceId, Date.now()),
    );
  }

  async #turn(deliveryId: string): Promise<number | null> {
    const next = await advanceDelivery(this.env, deliveryId);
    if (next === null || typeof next === "number") return next;
    const { tenantId, id } = next.job;
    try {
      await waitForEnd(this.env, tenantId, id, WAIT_MS);
    } catch (error) {
      // The job was deleted; the next turn sees it.
      if (!(error instanceof Problem)) throw error;
    }
    return 0;
  }
}
