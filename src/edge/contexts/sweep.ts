/** For the minute's sweep: contexts in which something is due, and those that are to be erased. */
import type { Env } from "../bindings.ts";
import { dueContexts } from "../storage/contexts.ts";
import { age } from "./age.ts";
import { eraseContext } from "./erase.ts";

/** For each sweep; the next one goes on. */
const BATCH = 10;

export async function sweepContexts(env: Env, now: number): Promise<void> {
  for (const { context, deleted } of await dueContexts(env.DB, now, BATCH)) {
    // One that cannot be aged keeps nobody else waiting.
    await (deleted ? eraseContext(env, context) : age(env, context, now)).catch((error) =>
      console.error(JSON.stringify({ context: context.id, error: String(error.stack ?? error) })),
    );
  }
}
