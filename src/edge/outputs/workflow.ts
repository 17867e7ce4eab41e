/** The driver of a delivery: a Workflow that takes its turns and sleeps between them. The state is in D1. */
import { WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep } from "cloudflare:workers";
import type { Env, OutputParams } from "../bindings.ts";
import { takeTurns } from "../jobs/turns.ts";
import { advanceDelivery } from "./deliver.ts";

export class OutputWorkflow extends WorkflowEntrypoint<Env, OutputParams> {
  override async run(event: WorkflowEvent<OutputParams>, step: WorkflowStep): Promise<void> {
    const { payload, instanceId } = event;
    await takeTurns(this.env, step, { workflow: "OUTPUTS", instanceId }, () =>
      advanceDelivery(this.env, payload.deliveryId),
    );
  }
}
