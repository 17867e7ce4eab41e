/** The models that extract: those of an API like OpenAI's, or of Workers AI. */
import type { Env } from "../bindings.ts";
import { settings } from "../settings.ts";
import { OpenAiProvider } from "./openai.ts";
import type { Provider } from "./provider.ts";
import { WorkersAiProvider } from "./workers-ai.ts";

/** The provider that the settings choose; `null` if there is none. */
export function providerOf(env: Env): Provider | null {
  const { EXTRACT_URL, EXTRACT_MODEL } = settings(env);
  if (EXTRACT_MODEL === "") return null;
  if (EXTRACT_URL !== "") return new OpenAiProvider(settings(env));
  return env.AI ? new WorkersAiProvider(env.AI, settings(env)) : null;
}
