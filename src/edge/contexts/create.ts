/** How a context comes into being. */
import type { Env } from "../bindings.ts";
import type { Caller } from "../context.ts";
import { newId } from "../domain/ids.ts";
import { Problem } from "../problem.ts";
import { settings } from "../settings.ts";
import { type Context, insertContext } from "../storage/contexts.ts";
import { RENDERER } from "./age.ts";

export type NewContext = Pick<
  Context,
  "name" | "ladder" | "tokenBudget" | "eraseAfter" | "metadata"
>;

/** @throws Problem `unknown-model` if this deployment cannot make the images of contexts */
export async function createContext(
  env: Env,
  { tenantId, keyId }: Caller,
  fields: NewContext,
): Promise<Context> {
  if (!settings(env).MODELS.includes(RENDERER))
    throw new Problem(
      "unknown-model",
      `Contexts need the model ${RENDERER}, which is not available.`,
    );
  const now = Date.now();
  const context: Context = {
    ...fields,
    id: newId("ctx", now),
    tenantId,
    keyId,
    lastNumber: 0,
    error: null,
    createdAt: now,
    agedAt: null,
  };
  await insertContext(env.DB, context);
  return context;
}
