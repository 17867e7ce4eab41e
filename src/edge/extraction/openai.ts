/**
 * Any API with OpenAI's `POST /chat/completions` and `response_format: json_schema`: OpenAI itself, vLLM, llama.cpp, Ollama
 * and many others. Its address is the operator's, so it may be private, as the addresses of pools are. It is called
 * without redirects: the key must not follow them.
 */
import { meetsStrict } from "../domain/extraction/schema.ts";
import type { Settings } from "../settings.ts";
import {
  type Answer,
  answerIn,
  calling,
  jsonOf,
  type Provider,
  ProviderFault,
  type Question,
} from "./provider.ts";

export class OpenAiProvider implements Provider {
  readonly model: string;
  readonly identity: string;
  readonly #settings: Settings;

  constructor(model: string, settings: Settings) {
    const { EXTRACT_URL, EXTRACT_PARAMETERS } = settings;
    this.#settings = settings;
    this.model = model;
    this.identity = JSON.stringify([EXTRACT_URL, model, EXTRACT_PARAMETERS]);
  }

  async ask({ messages, schema }: Question): Promise<Answer> {
    const json_schema = { name: "extraction", schema, strict: meetsStrict(schema) };
    try {
      return await this.#ask(messages, { type: "json_schema", json_schema });
    } catch (error) {
      if (!(error instanceof ProviderFault) || !error.isOfRequest) throw error;
      // Some have no schemas, others not all keywords. The messages have the schema too, and the answer is validated.
      return await this.#ask(messages, { type: "json_object" }).catch((second) => {
        throw second instanceof ProviderFault && !second.isOfRequest ? second : error;
      });
    }
  }

  async #ask(messages: Question["messages"], response_format: object): Promise<Answer> {
    return answerIn(await calling(this.#send(messages, response_format)));
  }

  async #send(messages: Question["messages"], response_format: object) {
    const { EXTRACT_URL, EXTRACT_KEY, EXTRACT_PARAMETERS, EXTRACT_TIMEOUT_S } = this.#settings;
    // Some addresses have a query, such as `?api-version=…`.
    const url = new URL(EXTRACT_URL);
    url.pathname = `${url.pathname.replace(/\/+$/, "")}/chat/completions`;
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json",
        ...(EXTRACT_KEY && { authorization: `Bearer ${EXTRACT_KEY}` }),
      },
      body: JSON.stringify({
        ...EXTRACT_PARAMETERS,
        model: this.model,
        messages,
        response_format,
      }),
      redirect: "manual",
      signal: AbortSignal.timeout(EXTRACT_TIMEOUT_S * 1000),
    });
    return jsonOf(response, EXTRACT_KEY);
  }
}
