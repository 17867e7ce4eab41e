/** What drivers that take turns have in common: Workflows whose state is in D1, which sleep between the turns. */
import type { WorkflowStep } from "cloudflare:workers";
import type { Env } from "../bindings.ts";
import { Problem } from "../problem.ts";
import { type WorkflowName, workflowEnded } from "../storage/ended-workflows.ts";
import { waitForEnd } from "./watch.ts";

/** For which one turn waits for a job. */
const WAIT_MS = 45_000;

/** What comes after a step: nothing (`null`), the milliseconds to sleep, or a job whose end is waited for. */
export type Next = null | number | { job: { tenantId: string; id: string } };

/**
 * Takes turns until nothing comes after one, and records that the instance has ended.
 * @param advance one step, which may be repeated after an interruption
 */
export async function takeTurns(
  env: Env,
  step: WorkflowStep,
  { workflow, instanceId }: { workflow: WorkflowName; instanceId: string },
  advance: () => Promise<Next>,
): Promise<void> {
  const retries = { limit: 10, delay: "2 seconds", backoff: "exponential" } as const;
  for (let turn = 1; ; turn++) {
    const sleep = await step.do(`turn ${turn}`, { retries, timeout: "15 minutes" }, async () =>
      pauseAfter(env, await advance()),
    );
    if (sleep === null) break;
    if (sleep > 0) await step.sleep(`sleep ${turn}`, sleep);
  }
  await step.do("end", { retries, timeout: "1 minute" }, () =>
    workflowEnded(env.DB, workflow, instanceId, Date.now()),
  );
}

async function pauseAfter(env: Env, next: Next): Promise<number | null> {
  if (next === null || typeof next === "number") return next;
  const { tenantId, id } = next.job;
  try {
    await waitForEnd(env, tenantId, id, WAIT_MS);
  } catch (error) {
    // The job was deleted; the next turn sees it.
    if (!(error instanceof Problem)) throw error;
  }
  return 0;
}
