/** Finds a tenant's context, its messages and its segments. */
import type { Env } from "../bindings.ts";
import { Problem } from "../problem.ts";
import { type Context, findContext } from "../storage/memory/contexts.ts";
import { findMessage, type Unsealed } from "../storage/memory/messages.ts";
import { findSegment, type Segment } from "../storage/memory/segments.ts";

/** @throws Problem `not-found` */
export async function demandContext(env: Env, tenantId: string, id: string): Promise<Context> {
  const context = await findContext(env.DB, tenantId, id);
  if (!context) throw new Problem("not-found", "No such context.");
  return context;
}

/** @throws Problem `not-found` */
export async function demandMessage(env: Env, context: Context, number: number): Promise<Unsealed> {
  const message = await findMessage(env.DB, context.id, number);
  if (!message) throw new Problem("not-found", "The context has no such message.");
  return message;
}

/** @throws Problem `not-found` */
export async function demandSegment(env: Env, context: Context, id: string): Promise<Segment> {
  const segment = await findSegment(env.DB, context.id, id);
  if (!segment) throw new Problem("not-found", "The context has no such segment.");
  return segment;
}
