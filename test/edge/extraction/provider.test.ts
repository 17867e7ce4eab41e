/** What is sent to providers, and how their responses are read. Workers AI runs nowhere but at Cloudflare: a stand-in. */
import { describe, expect, it, vi } from "vitest";
import { figureMessages, jsonIn } from "../../../src/edge/domain/extraction/prompt.ts";
import { faultsOf } from "../../../src/edge/extraction/answer.ts";
import { OpenAiProvider } from "../../../src/edge/extraction/openai.ts";
import { answerIn, jsonOf } from "../../../src/edge/extraction/provider.ts";
import { providerOf } from "../../../src/edge/extraction/providers.ts";
import { WorkersAiProvider } from "../../../src/edge/extraction/workers-ai.ts";
import { outboundRules } from "../../../src/edge/security/outbound.ts";
import { settings } from "../../../src/edge/settings.ts";
import { env } from "../support.ts";

const SCHEMA = { type: "object", properties: { total: { type: "number" } } };
const QUESTION = { messages: [{ role: "user", content: "Total: 5" }] as never, schema: SCHEMA };

/** A stand-in for the binding `AI` that answers with this response. */
function workersAi(response: () => Response | Promise<Response>) {
  const calls: unknown[][] = [];
  const run = async (...call: unknown[]) => {
    calls.push(call);
    return response();
  };
  const AI = { run } as unknown as Ai;
  const changed = { EXTRACT_URL: "", EXTRACT_MODEL: "@cf/some/model", AI };
  return { calls, provider: providerOf({ ...env, ...changed }) as WorkersAiProvider };
}

describe("Workers AI", () => {
  it("is asked in its JSON mode", async () => {
    const { calls, provider } = workersAi(() =>
      Response.json({ response: { total: 5 }, usage: { prompt_tokens: 7, completion_tokens: 3 } }),
    );
    expect(provider).toBeInstanceOf(WorkersAiProvider);
    expect(await provider.ask(QUESTION)).toEqual({
      text: '{"total":5}',
      tokens: { input: 7, output: 3 },
    });
    expect(calls).toEqual([
      [
        "@cf/some/model",
        {
          max_tokens: 8192,
          temperature: 0,
          messages: QUESTION.messages,
          response_format: { type: "json_schema", json_schema: SCHEMA },
        },
        { returnRawResponse: true, signal: expect.any(AbortSignal) },
      ],
    ]);
  });

  it("gets a figure as its models for images take it: a data URL in a part of the message", async () => {
    const { calls, provider } = workersAi(() => Response.json({ response: {} }));
    const messages = figureMessages("data:image/png;base64,AAAA", SCHEMA);
    await provider.ask({ messages, schema: SCHEMA });
    expect(calls[0]?.[1]).toMatchObject({
      messages: [
        { role: "system", content: expect.stringContaining(JSON.stringify(SCHEMA)) },
        {
          role: "user",
          content: [
            { type: "text" },
            { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } },
          ],
        },
      ],
    });
  });

  it.each([
    [() => Response.json({ response: '{"total":5}' }), '{"total":5}'],
    [() => Response.json({ choices: [{ message: { content: "{}" } }] }), "{}"],
    [
      () => Response.json({ choices: [{ message: { content: [{ text: "{" }, { text: "}" }] } }] }),
      "{}",
    ],
  ])("answers as text or in OpenAI's shape too (%#)", async (response, text) => {
    expect((await workersAi(response).provider.ask(QUESTION)).text).toBe(text);
  });

  it.each([
    [() => Response.json({}, { status: 429 }), "provider_rate_limited"],
    [() => Response.json({}, { status: 408 }), "provider_timeout"],
    [() => Response.json({ errors: [] }, { status: 400 }), "provider_rejected"],
    [() => Response.json({ response: 7 }), "provider_invalid"],
    [() => Response.json([]), "provider_invalid"],
    [() => Promise.reject(new Error("3040: out of capacity")), "provider_unavailable"],
    [() => Promise.reject(new DOMException("late", "TimeoutError")), "provider_timeout"],
  ])("fails with a fault that has a name (%#)", async (response, code) => {
    await expect(workersAi(response).provider.ask(QUESTION)).rejects.toMatchObject({ code });
  });
});

describe("the provider", () => {
  it("is chosen by the settings", () => {
    expect(providerOf(env)).toBeInstanceOf(OpenAiProvider);
    expect(providerOf({ ...env, ...{ EXTRACT_MODEL: "" } })).toBeNull();
    expect(providerOf({ ...env, ...{ EXTRACT_URL: "" } })).toBeNull();
  });

  it("may have another model for figures", () => {
    const changed = { ...env, ...{ EXTRACT_FIGURE_MODEL: "sees" } };
    expect([providerOf(changed)?.model, providerOf(changed, true)?.model]).toEqual([
      env.EXTRACT_MODEL,
      "sees",
    ]);
    expect(providerOf(env, true)?.model).toBe(env.EXTRACT_MODEL);
    expect(providerOf({ ...changed, ...{ EXTRACT_MODEL: "" } })).toBeNull();
  });

  it("that cannot be reached is unavailable", async () => {
    const nowhere = { ...settings(env), EXTRACT_URL: "http://127.0.0.1:1" };
    await expect(new OpenAiProvider("stand-in", nowhere).ask(QUESTION)).rejects.toMatchObject({
      code: "provider_unavailable",
    });
  });

  it("keeps the query of its address", async () => {
    const answer = Response.json({ choices: [{ message: { content: "{}" } }] });
    const fetched = vi.spyOn(globalThis, "fetch").mockResolvedValue(answer);
    const address = "https://models.test/openai/v1/?api-version=1";
    await new OpenAiProvider("m", { ...settings(env), EXTRACT_URL: address }).ask(QUESTION);
    expect(String(fetched.mock.calls[0]?.[0])).toBe(
      "https://models.test/openai/v1/chat/completions?api-version=1",
    );
    fetched.mockRestore();
  });

  it("cannot be named by a client as the address of a document", () => {
    expect(outboundRules(env).own).toContain(env.EXTRACT_URL);
  });
});

describe("a response", () => {
  const error = (error: object, status: number, headers = {}) =>
    Response.json({ error }, { status, headers });

  it.each([
    [error({ code: "content_filter", message: "filtered" }, 400), "provider_refused"],
    [error({ code: "insufficient_quota", message: "pay first" }, 429), "provider_rejected"],
    [error({ code: 429, message: "OpenRouter's form" }, 200), "provider_rate_limited"],
    [error({ code: 502, message: "the same" }, 200), "provider_unavailable"],
    [error({ code: "server_error", message: "no status" }, 200), null],
    [new Response(null, { status: 204 }), "provider_invalid"],
    [new Response("data: {}\n\n"), "provider_invalid"],
    [new Response("\ufeff{}"), null],
  ])("may be an error in many forms (%#)", async (response, code) => {
    const fault = await jsonOf(response).then(
      () => null,
      (fault) => fault.code,
    );
    expect(fault).toBe(code);
  });

  it.each([
    [{ error: { message: "Unknown name." } }, "Unknown name."],
    [[{ error: { message: "Gemini's list." } }], "Gemini's list."],
    [{ object: "error", message: "vLLM's form." }, "vLLM's form."],
    [{ detail: [{ loc: ["body"], msg: "FastAPI's form." }] }, "FastAPI's form."],
    [{ detail: "Its other form." }, "Its other form."],
    [{ error: { message: "Bad key: sk-1234." } }, "Bad key: …\\."],
  ])("says what is wrong with a request, but never the key (%#)", async (body, message) => {
    const response = Response.json(body, { status: 422 });
    await expect(jsonOf(response, "sk-1234")).rejects.toMatchObject({
      code: "provider_rejected",
      message: expect.stringMatching(new RegExp(`status 422\\. ${message}$`)),
      isOfRequest: true,
    });
  });

  it.each([
    ["30", 30_000],
    ["99999999999999999999", 1e23],
    ["soon", null],
  ])("asks to wait (%#)", async (header, retryAfterMs) => {
    for (const status of [429, 503])
      await expect(jsonOf(error({}, status, { "retry-after": header }))).rejects.toMatchObject({
        retryAfterMs,
      });
  });

  it("has tokens that can be counted, and a refusal only if it has a text", () => {
    const body = (usage: object, refusal: string) =>
      answerIn({ choices: [{ message: { content: "{}", refusal } }], usage } as never);
    expect(body({ prompt_tokens: 1e300, completion_tokens: "7" }, "").tokens).toEqual({
      input: 1e8,
      output: 0,
    });
    expect(() => body({}, "I cannot do that.")).toThrow("refused");
  });
});

describe("an answer", () => {
  it.each([
    '{"total":5}',
    '\ufeff {"total":5}\n',
    '```json\r\n{"total":5}\r\n```',
    'Here it is:\n\n```\n{"total":5}\n```\nCan I help with more?',
    '<think>\nPerhaps {"total":7}.\n</think>\n\n{"total":5}',
    'Perhaps {"total":7}.\n</think>\n```json\n{"total":5}\n```',
  ])("is found in what models write around it (%#)", (text) => {
    expect(jsonIn(text)).toEqual({ total: 5 });
  });

  it.each(["", "No.", "{", "} {", '{"total": NaN}', "</think>"])("may be none (%#)", (text) => {
    expect(jsonIn(text)).toBeUndefined();
  });

  it("that a model has written is kept as it is, whatever is in its texts", () => {
    expect(jsonIn('{"a":"</think> {"}')).toEqual({ a: "</think> {" });
  });

  it("has no number that JSON lacks", () => {
    expect(faultsOf(jsonIn('{"total":1e999}'), SCHEMA)).toEqual(["a number is too large"]);
    expect(faultsOf(jsonIn('{"a":[{"b":-1e999}]}'), {})).toEqual(["a number is too large"]);
  });

  it("is valid, or its faults are named by their places", () => {
    expect(faultsOf({ total: 5 }, SCHEMA)).toEqual([]);
    expect(faultsOf({ total: "5" }, SCHEMA)).toEqual([
      '#/total: Instance type "string" is invalid. Expected "number".',
    ]);
    expect(faultsOf(undefined, SCHEMA)).toEqual(["the answer is not JSON"]);
    expect(faultsOf([], SCHEMA)).toEqual(["the answer is not an object"]);
    const strict = { ...SCHEMA, additionalProperties: false, required: ["total"] };
    expect(faultsOf({ x: 1 }, strict)).toHaveLength(3);
  });

  it("is neither too deep nor too large", () => {
    expect(faultsOf(JSON.parse(`{"a":${"[".repeat(500)}${"]".repeat(500)}}`), {})).toEqual([
      "the answer is nested too deep",
    ]);
    expect(() => faultsOf({ a: Array(5001).fill(1) }, {})).toThrow("too long");
  });
});
