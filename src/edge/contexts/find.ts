/** Finds a tenant's context and its messages. */
import type { Env } from "../bindings.ts";
import { Problem } from "../problem.ts";
import { type Context, findContext, findMessage, type Message } from "../storage/contexts.ts";

/** @throws Problem `not-found` */
export async function demandContext(env: Env, tenantId: string, id: string): Promise<Context> {
  const context = await findContext(env.DB, tenantId, id);
  if (!context) throw new Problem("not-found", "No such context.");
  return context;
}

/** @throws Problem `not-found` */
export async function demandMessage(env: Env, context: Context, number: number): Promise<Message> {
  const message = await findMessage(env.DB, context.id, number);
  if (!message) throw new Problem("not-found", "The context has no such message.");
  return message;
}
