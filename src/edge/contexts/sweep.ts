/** The sweep of contexts: ages those in which a change is due, has them summarised, and erases deleted ones. */
import type { Env } from "../bindings.ts";
import { type Context, dueContexts } from "../storage/memory/contexts.ts";
import { age } from "./age.ts";
import { eraseContext } from "./erase.ts";
import { summarise } from "./summarise.ts";

/** Maximum number per sweep; the next sweep continues. */
const BATCH = 10;

export async function sweepContexts(env: Env, now: number): Promise<void> {
  const due = await dueContexts(env.DB, now, BATCH);
  for (const { context, deleted } of due)
    await alone(context, deleted ? eraseContext(env, context) : age(env, context, now));
  // At once, because a provider may take its time.
  const alive = due.filter(({ deleted }) => !deleted);
  await Promise.all(alive.map(({ context }) => alone(context, summarise(env, context))));
}

/** An error in one context must not stop the others. */
async function alone({ id }: Context, work: Promise<unknown>): Promise<void> {
  await work.catch((error) =>
    console.error(JSON.stringify({ context: id, error: String(error.stack ?? error) })),
  );
}
