/**
 * Asks the operator's model for summaries of segments. It needs no lease of the context, because a provider may take
 * minutes; each summary has a claim of its own (storage/memory/summaries.ts). If it fails, the segment stays as it is.
 */
import type { Env } from "../bindings.ts";
import { retryWait } from "../domain/extraction/faults.ts";
import { summaryText } from "../domain/memory/as-messages.ts";
import { messageText } from "../domain/memory/message-text.ts";
import {
  LEAST_SUMMARISED,
  SUMMARY_SCHEMA,
  summaryIn,
  summaryMessages,
} from "../domain/memory/summary.ts";
import { estimateTextTokens } from "../domain/memory/text-tokens.ts";
import { charge, isOverBudget } from "../extraction/budget.ts";
import { type Answer, ProviderFault } from "../extraction/provider.ts";
import { providerOf } from "../extraction/providers.ts";
import { settings } from "../settings.ts";
import type { Context } from "../storage/memory/contexts.ts";
import type { Contents, Segment } from "../storage/memory/segments.ts";
import {
  claimSummary,
  dueSummaries,
  type Summary,
  saveSummary,
  summaryFailed,
  type ToSummarise,
} from "../storage/memory/summaries.ts";
import { readSegmentTexts } from "../storage/memory/texts.ts";

/** Summaries of a context that are asked for at once. */
const AT_ONCE = 4;
/** More than is needed besides the answer of the provider. */
const CLAIM_MS = 60_000;

/** @returns the number of segments for which the provider was asked */
export async function summarise(env: Env, context: Context): Promise<number> {
  if (!context.summaries) return 0;
  const due = await dueSummaries(env.DB, context.id, Date.now(), AT_ONCE);
  const asked = await Promise.all(due.map((segment) => summariseSegment(env, context, segment)));
  return asked.filter(Boolean).length;
}

async function summariseSegment(
  env: Env,
  context: Context,
  segment: ToSummarise,
): Promise<boolean> {
  const now = Date.now();
  const claim = crypto.randomUUID();
  const until = now + settings(env).EXTRACT_TIMEOUT_S * 1000 + CLAIM_MS;
  const claimed = await claimSummary(env.DB, segment.id, claim, now, until);
  if (!claimed) return false;
  const model = providerOf(env)?.model ?? "";
  const billed = { id: context.id, tenantId: context.tenantId, model };
  try {
    if (await isOverBudget(env, billed)) throw new ProviderFault("budget_exceeded");
    const { text: answer, tokens } = await ask(env, context, segment);
    const text = summaryIn(answer);
    if (text === null) throw new ProviderFault("answer_invalid", { tokens });
    const shown = { ...segment, model, text };
    const made = { text, tokens: estimateTextTokens(summaryText(shown)) };
    await saveSummary(env.DB, context, claim, made, { model, ...tokens }, Date.now());
    await charge(env, billed, tokens);
  } catch (fault) {
    if (!(fault instanceof ProviderFault)) throw fault;
    const { code, message, retryAfterMs, tokens } = fault;
    const wait = retryWait(code, claimed.faults + 1, retryAfterMs);
    const failed = { error: { code, message }, dueAt: wait === null ? null : Date.now() + wait };
    await summaryFailed(env.DB, context, claim, failed, { model, ...tokens }, Date.now());
    await charge(env, billed, tokens);
  }
  return true;
}

async function ask(env: Env, context: Context, segment: ToSummarise): Promise<Answer> {
  const provider = providerOf(env);
  if (!provider) throw new ProviderFault("provider_off");
  const texts = await readSegmentTexts(env.BUCKET, context, segment);
  if (texts.size === 0) throw new ProviderFault("gone");
  const messages = [...texts]
    .sort(([a], [b]) => a - b)
    .map(([number, content]) => ({ number, role: content.role, text: messageText(content) }));
  const mark = crypto.randomUUID().replaceAll("-", "");
  return provider.ask({ messages: summaryMessages(messages, mark), schema: SUMMARY_SCHEMA });
}

/** The summary of a segment: made, or still to be made (`text` is `null`). `null`: there will be none. */
export function summaryOf(
  { summaries }: Pick<Context, "summaries">,
  state: Pick<Contents, "summaries">,
  segment: Segment,
): Pick<Summary, "text" | "model" | "tokens" | "dueAt"> | null {
  const known = state.summaries.find(({ segmentId }) => segmentId === segment.id);
  if (known?.text) return known;
  if (!summaries || segment.erased || segment.textTokens < LEAST_SUMMARISED) return null;
  if (known) return known.dueAt === null ? null : known;
  return { text: null, model: null, tokens: 0, dueAt: 0 };
}
