/** What a context would cost with each provider. */
import type { Env } from "../bindings.ts";
import { PROFILES } from "../domain/memory/profiles.ts";
import type { Context } from "../storage/memory/contexts.ts";
import { contents } from "../storage/memory/segments.ts";
import { priced } from "./create.ts";
import { planOf } from "./plan.ts";

/** Counted where the images exist, otherwise expected; without a token budget. */
export async function costsOf(env: Env, context: Context) {
  const state = await contents(env.DB, context.id);
  const all = [...state.unsealed, ...state.segments];
  return PROFILES.map((known) => {
    const profile = priced(env, known);
    const view = { profile: profile.id, forms: {}, overBudget: null };
    const unlimited = { ...context, tokenBudget: null };
    const { tokens } = planOf(unlimited, profile, state, view, Date.now());
    const asText = all.reduce((sum, { textTokens }) => sum + profile.textTokens(textTokens), 0);
    const dollars = (count: number) => profile.prices && (count * profile.prices.input) / 1_000_000;
    return {
      profile: profile.id,
      profile_version: profile.version,
      tokens: Math.round(tokens),
      tokens_as_text: Math.round(asText),
      usd: dollars(tokens),
      usd_as_text: dollars(asText),
      advice: profile.advice,
    };
  });
}
