/** A delivery that is asked for together with a job. */
import type { Env } from "../bindings.ts";
import type { Caller } from "../context.ts";
import { newId } from "../domain/ids.ts";
import { Problem } from "../problem.ts";
import { insertDelivery } from "../storage/output-deliveries.ts";
import { type DeliverTarget, sealTarget } from "./target.ts";

/**
 * @returns the statements by which `createJob` records it with the job. Call `driveDeliveries` when the job exists
 * @throws Problem `url-refused`, or `token-refused`: the document may be somebody else's than the token's holder's
 */
export async function attachDelivery(
  env: Env,
  { tenantId, tokenJobId }: Caller,
  target: DeliverTarget,
): Promise<(jobId: string) => D1PreparedStatement[]> {
  if (tokenJobId !== null) throw new Problem("token-refused", "`deliver` needs an API key.");
  const now = Date.now();
  const delivery = { id: newId("out", now), tenantId };
  const sealed = await sealTarget(env, delivery, target);
  return (jobId) => [
    insertDelivery(env.DB, { ...delivery, owner: jobId, kind: "result", target: sealed }, now),
  ];
}
