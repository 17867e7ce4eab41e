/** How a context comes into being, and what it may be changed to. */
import type { Env } from "../bindings.ts";
import type { Caller } from "../context.ts";
import { newId } from "../domain/ids.ts";
import { findProfile, PROFILES, type Profile, withPrices } from "../domain/memory/profiles.ts";
import type { Fade } from "../domain/memory/view-plan.ts";
import { READERS, RENDER } from "../domain/pages/models.ts";
import { providerOf } from "../extraction/providers.ts";
import { Problem } from "../problem.ts";
import { settings } from "../settings.ts";
import { wakeContext } from "../signals/wake-context.ts";
import {
  type Context,
  type ContextChange,
  insertContext,
  updateContext,
} from "../storage/memory/contexts.ts";
import { deleteSummaries } from "../storage/memory/summaries.ts";

/** Reader of images, unless a request names another or the deployment does not have it. */
const CHECKER = "pp-ocr";

/** Newest messages that stay text, unless a context says otherwise. */
export const DEFAULT_RECENT = 12;

export type NewContext = Pick<
  Context,
  "name" | "profile" | "tokenBudget" | "recent" | "fade" | "summaries" | "eraseAfter" | "metadata"
> & { reader?: string | null | undefined };

/** @throws Problem `unknown-model`, `unknown-profile`, `extraction-off` or `invalid-request` */
export async function createContext(
  env: Env,
  { tenantId, keyId }: Caller,
  { reader, ...fields }: NewContext,
): Promise<Context> {
  const { MODELS } = settings(env);
  if (!MODELS.includes(RENDER))
    throw new Problem(
      "unknown-model",
      `Contexts need the model ${RENDER}, which is not available.`,
    );
  checkFade(demandProfile(fields.profile), fields.fade, fields.summaries);
  if (fields.summaries) checkSummaries(env);
  if (reader) checkReader(env, reader);
  const now = Date.now();
  const context: Context = {
    ...fields,
    reader: reader === undefined ? (MODELS.includes(CHECKER) ? CHECKER : null) : reader,
    id: newId("ctx", now),
    tenantId,
    keyId,
    lastNumber: 0,
    version: 0,
    error: null,
    createdAt: now,
    agedAt: null,
  };
  await insertContext(env.DB, context);
  return context;
}

/**
 * Without `summaries` any more, those that exist are deleted; asked for again, those that have failed are made again.
 * @throws Problem `unknown-model`, `unknown-profile`, `extraction-off` or `invalid-request`
 */
export async function changeContext(
  env: Env,
  context: Context,
  change: { [name in keyof ContextChange]: ContextChange[name] | undefined },
): Promise<void> {
  const profile = demandProfile(change.profile ?? context.profile);
  // The forms of a ladder are those of its profile.
  const fade = change.fade === undefined ? context.fade : change.fade;
  checkFade(profile, fade, change.summaries ?? context.summaries);
  if (change.summaries) checkSummaries(env);
  if (change.reader) checkReader(env, change.reader);
  await updateContext(env.DB, context.id, change, Date.now());
  if (change.summaries !== undefined) await deleteSummaries(env.DB, context.id, change.summaries);
  wakeContext(env, context.id);
}

/** A profile with the operator's prices. */
export function priced(env: Env, profile: Profile): Profile {
  const prices = settings(env).MEMORY_PRICES[profile.id];
  return prices ? withPrices(profile, prices) : profile;
}

/** @throws Problem `unknown-profile` */
export function demandProfile(id: string): Profile {
  const profile = findProfile(id);
  if (profile) return profile;
  const known = PROFILES.map(({ id }) => id).join(", ");
  throw new Problem("unknown-profile", `There is no profile ${id}. Choose one of ${known}.`);
}

function checkReader(env: Env, reader: string): void {
  const readers = settings(env).MODELS.filter((model) => !READERS[model]?.draws);
  if (!readers.includes(reader))
    throw new Problem("unknown-model", `reader: choose one of ${readers.join(", ")}.`);
}

/** Summaries are written by the model that makes extractions. */
function checkSummaries(env: Env): void {
  if (!providerOf(env))
    throw new Problem("extraction-off", "summaries: the operator has configured no model.");
}

function checkFade({ id, forms }: Profile, fade: Fade | null, summaries: boolean): void {
  if (!fade) return;
  const between = summaries ? ["summary"] : [];
  const order = ["text", ...forms.map((form) => form.id), ...between, "index"];
  const { rungs } = fade;
  for (const [i, { form, after }] of rungs.entries()) {
    if (!order.includes(form))
      throw invalidFade(`the profile ${id} has the forms ${order.join(", ")}`);
    const above = rungs[i - 1];
    if (!above) continue;
    if (after <= above.after) throw invalidFade("`after` must increase from rung to rung");
    if (order.indexOf(form) <= order.indexOf(above.form))
      throw invalidFade(`forms must follow the order ${order.join(", ")}`);
  }
}

const invalidFade = (why: string) => new Problem("invalid-request", `fade.rungs: ${why}.`);
