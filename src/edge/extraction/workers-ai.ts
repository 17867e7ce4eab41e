/** A model of Workers AI in its JSON mode (Cloudflare's docs, "JSON Mode"). The schema itself is `json_schema` there. */
import { isObject } from "../domain/extraction/json.ts";
import type { Settings } from "../settings.ts";
import {
  type Answer,
  answerIn,
  calling,
  jsonOf,
  type Provider,
  ProviderFault,
  type Question,
  tokensIn,
} from "./provider.ts";

/** Its default is 256, which is too short for any list. */
const MAX_TOKENS = 8192;

export class WorkersAiProvider implements Provider {
  readonly model: string;
  readonly identity: string;
  readonly #ai: Ai;
  readonly #settings: Settings;

  constructor(ai: Ai, model: string, settings: Settings) {
    const { EXTRACT_PARAMETERS } = settings;
    this.#ai = ai;
    this.#settings = settings;
    this.model = model;
    this.identity = JSON.stringify(["workers-ai", model, EXTRACT_PARAMETERS]);
  }

  async ask(question: Question): Promise<Answer> {
    const body = await calling(this.#run(question));
    // Newer models answer in OpenAI's shape.
    if (body.choices !== undefined) return answerIn(body);
    const tokens = tokensIn(body);
    const { response } = body;
    if (typeof response === "string") return { text: response, tokens };
    if (isObject(response)) return { text: JSON.stringify(response), tokens };
    throw new ProviderFault("provider_invalid", { tokens });
  }

  async #run({ messages, schema }: Question) {
    const { EXTRACT_PARAMETERS, EXTRACT_TIMEOUT_S } = this.#settings;
    const response = await this.#ai.run(
      // The list of models in the types is never complete.
      this.model as string & {},
      {
        max_tokens: MAX_TOKENS,
        ...EXTRACT_PARAMETERS,
        messages,
        response_format: { type: "json_schema", json_schema: schema },
      },
      { returnRawResponse: true, signal: AbortSignal.timeout(EXTRACT_TIMEOUT_S * 1000) },
    );
    return jsonOf(response as unknown as Response);
  }
}
