/**
 * The tokens of models in the account's limit of dollars for a day, at the prices that the operator states: those of
 * extractions, summaries and searches by meaning. What an answer costs is known only afterwards: the limit stops the next
 * question.
 */
import type { Env } from "../bindings.ts";
import { schedulerOf } from "../dispatch/scheduler.ts";
import { microsOf } from "../domain/keys/day-limits.ts";
import { settings } from "../settings.ts";
import type { Tokens } from "../storage/extractions.ts";
import { bestEffort } from "../storage/fault.ts";
import { dayLimits } from "../storage/tenants.ts";

interface Billed {
  tenantId: string;
  model: string;
  /** Of the extraction or context. */
  id: string;
}

/** Whether the account must not ask this model any more today. */
export async function isOverBudget(env: Env, { tenantId, model }: Billed): Promise<boolean> {
  const { EXTRACT_PRICES } = settings(env);
  if (!EXTRACT_PRICES[model]) return false;
  return schedulerOf(env).isSpent(tenantId, await dayLimits(env.DB, tenantId));
}

/** Counts tokens. If that is interrupted, they are in the usage, but not in today's dollars. */
export async function charge(env: Env, { id, tenantId, model }: Billed, tokens: Tokens) {
  const price = settings(env).EXTRACT_PRICES[model];
  const micros = price ? microsOf(tokens, price) : 0;
  if (micros > 0) await bestEffort(schedulerOf(env).spend(tenantId, micros), { cost_of: id });
}
