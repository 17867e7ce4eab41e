/**
 * Search by meaning: an embedding model of Workers AI makes a vector of each message, and the context's index compares
 * all of them with that of the question (docs/decisions/0057). Vectors are made when a context is searched.
 */
import type { Env, Vector } from "../bindings.ts";
import { estimateTextTokens } from "../domain/memory/text-tokens.ts";
import { quantised } from "../domain/memory/vectors.ts";
import { charge, isOverBudget } from "../extraction/budget.ts";
import { calling, jsonOf, ProviderFault, tokensIn } from "../extraction/provider.ts";
import { Problem } from "../problem.ts";
import { settings } from "../settings.ts";
import type { Context } from "../storage/memory/contexts.ts";
import { indexOf } from "../storage/memory/text-index.ts";
import { countTokens } from "../storage/usage.ts";
import { nextTexts } from "./texts.ts";

/** The newest messages that have vectors: 10 MB with 1,024 dimensions. */
export const MOST_VECTORS = 10_000;
/** Texts in one request. Workers AI takes 100. */
const AT_ONCE = 50;
/** Messages of which one search makes vectors. */
const MOST = 1000;
/** Characters that the model sees of a text. */
const MAX_CHARACTERS = 2000;
const TIMEOUT_MS = 30_000;

/**
 * @returns the best first; `complete` is false while there are messages without a vector
 * @throws Problem `meaning-off`, `meaning-failed` if Workers AI does not answer, or `budget-exceeded`
 */
export async function findByMeaning(
  env: Env,
  context: Context,
  question: string,
  limit: number,
): Promise<{ hits: { number: number; score: number }[]; complete: boolean }> {
  const ai = env.AI;
  const model = settings(env).MEMORY_EMBEDDING_MODEL;
  if (!ai || model === "")
    throw new Problem(
      "meaning-off",
      "The operator has configured no embedding model. Search with mode=words.",
    );
  const vectorsOf = embedder(env, context, ai, model);
  try {
    const [asked] = await vectorsOf([question]);
    if (!asked) throw new ProviderFault("provider_invalid");
    const complete = await updateVectors(env, context, model, vectorsOf);
    return { hits: await indexOf(env, context.id).nearest(asked, limit), complete };
  } catch (fault) {
    if (!(fault instanceof ProviderFault)) throw fault;
    throw new Problem("meaning-failed", `${fault.message} Search with mode=words, or repeat it.`);
  }
}

/** Makes vectors of new messages. @returns whether all have one */
async function updateVectors(
  env: Env,
  context: Context,
  model: string,
  vectorsOf: Embedder,
): Promise<boolean> {
  const index = indexOf(env, context.id);
  const oldest = Math.max(0, context.lastNumber - MOST_VECTORS);
  let last = Math.max(oldest, await index.lastVector(model, oldest));
  for (let added = 0; last < context.lastNumber; added += AT_ONCE) {
    if (added >= MOST) return false;
    const next = await nextTexts(env, context, last, AT_ONCE);
    if (!next) break;
    last = next.last;
    const said = next.texts
      .map(({ number, text }) => ({ number, text: text.slice(0, MAX_CHARACTERS).trim() }))
      .filter(({ text }) => text !== "");
    const texts = said.map(({ text }) => text);
    const vectors = texts.length === 0 ? [] : await vectorsOf(texts);
    const made = said.flatMap(({ number }, i): Vector | [] => {
      const bytes = vectors[i];
      return bytes ? { number, bytes } : [];
    });
    await index.addVectors(made, last, model);
  }
  return true;
}

/** The vectors of some texts; `null` for one that has no direction. */
type Embedder = (texts: string[]) => Promise<(Int8Array | null)[]>;

/**
 * Asks a model, and bills the key of the context. Tokens that the model does not count are estimated.
 * https://developers.cloudflare.com/ai/models/@cf/baai/bge-m3/ (2026-11)
 * The vectors are asked for until the account's limit of dollars is reached: then Problem `budget-exceeded` is thrown.
 */
const embedder =
  (env: Env, context: Context, ai: Ai, model: string): Embedder =>
  async (text) => {
    const { id, tenantId } = context;
    if (await isOverBudget(env, { id, tenantId, model }))
      throw new Problem("budget-exceeded", "The account's limit of dollars for today is reached.");
    const response = await calling(
      ai.run(
        // The list of models in the types is never complete.
        model as string & {},
        { text, truncate_inputs: true },
        { returnRawResponse: true, signal: AbortSignal.timeout(TIMEOUT_MS) },
      ) as Promise<unknown> as Promise<Response>,
    );
    const body = await calling(jsonOf(response));
    const estimated = () => text.reduce((sum, one) => sum + estimateTextTokens(one), 0);
    const tokens = { input: tokensIn(body).input || estimated(), output: 0 };
    await countTokens(env.DB, context, { model, ...tokens }, Date.now()).run();
    await charge(env, { id, tenantId, model }, tokens);
    const { data } = body;
    if (!Array.isArray(data) || data.length !== text.length)
      throw new ProviderFault("provider_invalid");
    return data.map((values) => {
      if (!Array.isArray(values) || values.some((value) => typeof value !== "number"))
        throw new ProviderFault("provider_invalid");
      return quantised(values as number[]);
    });
  };
