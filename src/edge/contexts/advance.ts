/** Does what is due in a context: ages it, or goes on erasing a deleted one. */
import type { Env } from "../bindings.ts";
import { contextById } from "../storage/memory/contexts.ts";
import { age } from "./age.ts";
import { eraseContext } from "./erase.ts";

/** Pause between two steps, of which most wait for images. */
const PACE_MS = 2000;

/** @returns milliseconds until more is due; `null`: nothing is, until the context is changed; `over`: it is erased */
export async function advanceContext(env: Env, id: string): Promise<number | "over" | null> {
  const found = await contextById(env.DB, id);
  if (!found) return "over";
  const now = Date.now();
  if (found.dueAt === null) return null;
  if (found.dueAt > now) return found.dueAt - now;
  if (found.deleted) await eraseContext(env, found.context);
  else await age(env, found.context, now);
  const left = await contextById(env.DB, id);
  if (!left) return "over";
  return left.dueAt === null ? null : Math.max(PACE_MS, left.dueAt - Date.now());
}
