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

  async ask(question: Question): Promise<Answer> {
    return answerIn(await calling(this.#send(question)));
  }

  async #send({ messages, schema }: Question) {
    const { EXTRACT_URL, EXTRACT_KEY, EXTRACT_PARAMETERS, EXTRACT_TIMEOUT_S } = this.#settings;
    const json_schema = { name: "extraction", schema, strict: meetsStrict(schema) };
    const response = await fetch(`${EXTRACT_URL.replace(/\/+$/, "")}/chat/completions`, {
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
        response_format: { type: "json_schema", json_schema },
      }),
      redirect: "manual",
      signal: AbortSignal.timeout(EXTRACT_TIMEOUT_S * 1000),
    });
    return jsonOf(response);
  }
}
