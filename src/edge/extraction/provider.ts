/** What providers of models have in common, and how their responses are read: as data from a third party. */
import {
  EXTRACTION_FAULTS,
  type ExtractionFault,
  retryAfter,
} from "../domain/extraction/faults.ts";
import { isObject, type JsonObject } from "../domain/extraction/json.ts";
import type { ChatMessage } from "../domain/extraction/prompt.ts";
import type { Tokens } from "../storage/extractions.ts";

export interface Question {
  messages: ChatMessage[];
  /** Which JSON the answer must be. */
  schema: JsonObject;
}

export interface Answer {
  text: string;
  tokens: Tokens;
}

export interface Provider {
  /** Name of the model, as `usage` shows it. */
  readonly model: string;
  /** All that determines its answers, for the cache. */
  readonly identity: string;
  /** @throws ProviderFault */
  ask(question: Question): Promise<Answer>;
}

/** A question without an answer that can be used. */
export class ProviderFault extends Error {
  readonly code: ExtractionFault;
  /** What the provider asks to wait for, in milliseconds. */
  readonly retryAfterMs: number | null;
  /** What the question has cost nevertheless. */
  tokens: Tokens;
  /** Whether the provider says that it does not take such a request. */
  readonly isOfRequest: boolean;

  constructor(
    code: ExtractionFault,
    {
      detail,
      retryAfterMs = null,
      tokens = NO_TOKENS,
      isOfRequest = false,
    }: {
      detail?: string;
      retryAfterMs?: number | null;
      tokens?: Tokens;
      isOfRequest?: boolean;
    } = {},
  ) {
    super(detail ? `${EXTRACTION_FAULTS[code]} ${detail}` : EXTRACTION_FAULTS[code]);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
    this.tokens = tokens;
    this.isOfRequest = isOfRequest;
  }
}

export const NO_TOKENS: Tokens = { input: 0, output: 0 };

/** Largest response of a provider. */
const MAX_RESPONSE_BYTES = 4 * 1024 ** 2;
/** No answer has more. */
const MOST_TOKENS = 1e8;
/** Characters of a provider's message about a request that a client gets to see. */
const MAX_DETAIL = 300;

/**
 * The JSON of a response.
 * @param secret what no client may see of a message: the operator's key
 * @throws ProviderFault for every status but 2xx, and if the body is not a JSON object, or is too large
 */
export async function jsonOf(response: Response, secret = ""): Promise<JsonObject> {
  const text = await textOf(response);
  const body = parsed(text);
  const error = isObject(body?.error) ? body.error : {};
  const status = response.ok ? statusIn(body) : response.status;
  if (status === null) {
    if (!body) throw new ProviderFault("provider_invalid");
    return body;
  }
  if (REFUSALS.includes(error.code as string)) throw new ProviderFault("provider_refused");
  const detail = `It answered with status ${status}.`;
  // The operator has to pay first, so waiting does not help.
  if (error.code === "insufficient_quota") throw new ProviderFault("provider_rejected", { detail });
  const retryAfterMs = retryAfter(response.headers.get("retry-after"), Date.now());
  if (status === 429) throw new ProviderFault("provider_rate_limited", { retryAfterMs });
  if (status === 408) throw new ProviderFault("provider_timeout");
  if (status >= 500) throw new ProviderFault("provider_unavailable", { detail, retryAfterMs });
  // Only what is wrong with the request concerns the client; other messages may be about the operator's account.
  const isOfRequest = status === 400 || status === 422;
  const about = isOfRequest ? messageOf(body, secret) : "";
  throw new ProviderFault("provider_rejected", {
    detail: about ? `${detail} ${about}` : detail,
    isOfRequest,
  });
}

/** Codes of errors that say that a filter refused (Azure and OpenAI). */
const REFUSALS = ["content_filter", "content_policy_violation"];

/** The status in a body that has an error instead of an answer, with a status of 200 around it: OpenRouter's form. */
function statusIn(body: JsonObject | null): number | null {
  if (!isObject(body?.error) || body.choices !== undefined) return null;
  const code = Number(body.error.code);
  return Number.isInteger(code) && code >= 400 && code < 600 ? code : null;
}

/** @throws ProviderFault `answer_too_long`; nothing more is read then */
async function textOf({ body }: Response): Promise<string> {
  if (!body) return "";
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of body as ReadableStream<Uint8Array>) {
    bytes += chunk.byteLength;
    // Leaving the loop cancels the stream.
    if (bytes > MAX_RESPONSE_BYTES) throw new ProviderFault("answer_too_long");
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** A list with one object, as Gemini's errors are, counts as that object. */
function parsed(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text.replace(/^\ufeff/, ""));
    const only = Array.isArray(value) && value.length === 1 ? value[0] : value;
    return isObject(only) ? only : null;
  } catch {
    return null;
  }
}

/** The message in an error of OpenAI's form, or of servers that are made with FastAPI (`detail`). */
function messageOf(body: JsonObject | null, secret: string): string {
  const error = body?.error;
  const [detail] = [body?.detail].flat();
  const messages = [
    isObject(error) ? error.message : error,
    body?.message,
    isObject(detail) ? detail.msg : detail,
  ];
  const message = messages.find((text): text is string => typeof text === "string") ?? "";
  const shown = secret === "" ? message : message.replaceAll(secret, "…");
  return shown.replace(/\p{Cc}+/gu, " ").slice(0, MAX_DETAIL);
}

/** The tokens of an answer in the form that all chat APIs have. */
export function tokensIn(body: JsonObject): Tokens {
  const usage = isObject(body.usage) ? body.usage : {};
  const count = (value: unknown) =>
    typeof value === "number" && value > 0 ? Math.min(Math.floor(value), MOST_TOKENS) : 0;
  return { input: count(usage.prompt_tokens), output: count(usage.completion_tokens) };
}

/** The answer in a chat completion. @throws ProviderFault */
export function answerIn(body: JsonObject): Answer {
  const tokens = tokensIn(body);
  const choice = Array.isArray(body.choices) ? body.choices[0] : null;
  const message = isObject(choice) ? choice.message : null;
  if (!isObject(choice) || !isObject(message))
    throw new ProviderFault("provider_invalid", { tokens });
  if (
    (typeof message.refusal === "string" && message.refusal !== "") ||
    choice.finish_reason === "content_filter"
  )
    throw new ProviderFault("provider_refused", { tokens });
  if (choice.finish_reason === "length") throw new ProviderFault("answer_too_long", { tokens });
  const text = contentOf(message.content);
  if (text === null) throw new ProviderFault("provider_invalid", { tokens });
  return { text, tokens };
}

/** Text, or a list of parts with text. */
function contentOf(content: unknown): string | null {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return null;
  return content
    .map((part) => (isObject(part) && typeof part.text === "string" ? part.text : ""))
    .join("");
}

/** Calls a provider. What fails on the way is a `ProviderFault`. */
export async function calling<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof ProviderFault) throw error;
    const isLate = error instanceof Error && ["TimeoutError", "AbortError"].includes(error.name);
    throw new ProviderFault(isLate ? "provider_timeout" : "provider_unavailable");
  }
}
