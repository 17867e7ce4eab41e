/** The sweep of contexts: wakes the drivers of those that are overdue, because a wake-up was lost. */
import type { Env } from "../bindings.ts";
import { wakeContextDriver } from "../signals/wake-context.ts";
import { dueContexts } from "../storage/memory/contexts.ts";

/** Maximum number per sweep; the next sweep continues. */
const BATCH = 200;

/** @param before contexts that have been due since then have no driver */
export async function sweepContexts(env: Env, before: number): Promise<void> {
  const ids = await dueContexts(env.DB, before, BATCH);
  await Promise.all(ids.map((id) => wakeContextDriver(env, id)));
}
