/** Asks a model for JSON that matches a schema, and once more if the answer has faults. */
import type { JsonObject } from "../domain/extraction/json.ts";
import { type ChatMessage, jsonIn, repairMessages } from "../domain/extraction/prompt.ts";
import type { ExtractionSchema } from "../domain/extraction/schema.ts";
import type { Tokens } from "../storage/extractions.ts";
import { faultsOf } from "./answer.ts";
import { type Provider, ProviderFault } from "./provider.ts";

/** @throws ProviderFault */
export async function dataFrom(
  provider: Provider,
  messages: ChatMessage[],
  { sent, checked }: Pick<ExtractionSchema, "sent" | "checked">,
): Promise<{ data: JsonObject; tokens: Tokens }> {
  const first = await provider.ask({ messages, schema: sent });
  let { tokens } = first;
  try {
    const data = jsonIn(first.text);
    const faults = faultsOf(data, checked);
    if (faults.length === 0) return { data: data as JsonObject, tokens };
    const asked = repairMessages(messages, first.text, faults);
    const second = await provider.ask({ messages: asked, schema: sent });
    tokens = sum(tokens, second.tokens);
    const again = jsonIn(second.text);
    const left = faultsOf(again, checked);
    if (left.length === 0) return { data: again as JsonObject, tokens };
    throw new ProviderFault("answer_invalid", { detail: shown(left) });
  } catch (error) {
    if (error instanceof ProviderFault) error.tokens = sum(error.tokens, tokens);
    throw error;
  }
}

const sum = (one: Tokens, other: Tokens): Tokens => ({
  input: one.input + other.input,
  output: one.output + other.output,
});

/** What a client sees of the faults of an answer; the answer itself is withheld. */
export const shown = (faults: string[]) => faults.slice(0, 3).join(" ").slice(0, 600);
