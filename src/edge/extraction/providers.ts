/** The models that extract: those of an API like OpenAI's, or of Workers AI. */
import type { Env } from "../bindings.ts";
import { settings } from "../settings.ts";
import { OpenAiProvider } from "./openai.ts";
import type { Provider } from "./provider.ts";
import { WorkersAiProvider } from "./workers-ai.ts";

/** The provider that the settings choose, of text or of figures; `null` if there is none. */
export function providerOf(env: Env, isForFigures = false): Provider | null {
  const { EXTRACT_URL, EXTRACT_MODEL, EXTRACT_FIGURE_MODEL } = settings(env);
  const model = (isForFigures && EXTRACT_FIGURE_MODEL) || EXTRACT_MODEL;
  if (model === "") return null;
  if (EXTRACT_URL !== "") return new OpenAiProvider(model, settings(env));
  return env.AI ? new WorkersAiProvider(env.AI, model, settings(env)) : null;
}
