/** Does what is due in a context: ages it, or goes on erasing a deleted one. */
import type { Env } from "../bindings.ts";
import { type Context, contextById } from "../storage/memory/contexts.ts";
import { age } from "./age.ts";
import { eraseContext } from "./erase.ts";

/** Pause between two steps, of which most wait for images. */
const PACE_MS = 2000;

export interface Advance {
  /** Milliseconds until more is due; `null`: nothing is, until the context is changed; `over`: it is erased. */
  wait: number | "over" | null;
  /** As it is now; `null` if it is deleted. */
  context: Context | null;
}

export async function advanceContext(env: Env, id: string): Promise<Advance> {
  let found = await contextById(env.DB, id);
  const isDue = found !== null && found.dueAt !== null && found.dueAt <= Date.now();
  if (found && isDue) {
    if (found.deleted) await eraseContext(env, found.context);
    else await age(env, found.context, Date.now());
    found = await contextById(env.DB, id);
  }
  if (!found) return { wait: "over", context: null };
  const { dueAt, deleted, context } = found;
  const left = dueAt === null ? null : Math.max(isDue ? PACE_MS : 0, dueAt - Date.now());
  return { wait: left, context: deleted ? null : context };
}
