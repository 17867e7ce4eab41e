/** The driver of an extraction: a Workflow that takes its turns and sleeps between them. The state is in D1 (`run.ts`). */
import { WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep } from "cloudflare:workers";
import type { Env, ExtractionParams } from "../bindings.ts";
import { takeTurns } from "../jobs/turns.ts";
import { advanceExtraction } from "./run.ts";

export class ExtractionWorkflow extends WorkflowEntrypoint<Env, ExtractionParams> {
  override async run(event: WorkflowEvent<ExtractionParams>, step: WorkflowStep): Promise<void> {
    const { payload, instanceId } = event;
    await takeTurns(this.env, step, { workflow: "EXTRACTIONS", instanceId }, () =>
      advanceExtraction(this.env, payload.extractionId),
    );
  }
}
