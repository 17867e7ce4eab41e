/** The sweep of contexts: ages those in which a change is due, and erases deleted ones. */
import type { Env } from "../bindings.ts";
import { dueContexts } from "../storage/memory/contexts.ts";
import { age } from "./age.ts";
import { eraseContext } from "./erase.ts";

/** Maximum number per sweep; the next sweep continues. */
const BATCH = 10;

export async function sweepContexts(env: Env, now: number): Promise<void> {
  for (const { context, deleted } of await dueContexts(env.DB, now, BATCH)) {
    // An error in one context must not stop the others.
    await (deleted ? eraseContext(env, context) : age(env, context, now)).catch((error) =>
      console.error(JSON.stringify({ context: context.id, error: String(error.stack ?? error) })),
    );
  }
}
