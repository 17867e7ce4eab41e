/**
 * POST /v1/responses for OpenAI's newer clients: the same as the chat completions, in the shapes of the Responses API.
 * Nothing is stored but the job, so a response cannot be continued (`previous_response_id`).
 */
import { createRoute, z } from "@hono/zod-openapi";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import type { App } from "../../context.ts";
import type { Message } from "../../domain/jobs/chat.ts";
import { requires } from "../../http/auth.ts";
import { jsonBody, MIB } from "../../http/body.ts";
import { chatErrors } from "../../http/openai-error.ts";
import type { Completion } from "../chat/completion.ts";
import { begin, CHAT_ERRORS, complete, foveaOptions, toolChoice } from "../chat/completions.ts";
import { type Events, streamPages } from "../chat/stream.ts";
import { TextFormat } from "../chat/structured.ts";

const Part = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("input_text"), text: z.string() }),
  z.looseObject({
    type: z.literal("input_image"),
    image_url: z.string().nullish().openapi({ description: "`https:` URL or `data:` URL" }),
    file_id: z.string().nullish(),
  }),
  z.looseObject({
    type: z.literal("input_file"),
    file_id: z.string().nullish().openapi({ description: "Id from POST /v1/files" }),
    file_data: z.string().nullish().openapi({ description: "A `data:` URL, or base64" }),
    file_url: z.string().nullish().openapi({ description: "`https:` URL" }),
  }),
]);
type Part = z.infer<typeof Part>;

const Item = z.looseObject({
  type: z.literal("message").nullish(),
  role: z.literal("user"),
  content: z.union([z.string(), z.array(Part).max(100)], {
    error: "a text, or parts of the types `input_text`, `input_image` and `input_file`",
  }),
});
/** Messages of others, calls and their results, references, reasoning: all of it is ignored. */
const OtherItem = z.looseObject({
  type: z.string().nullish(),
  role: z.enum(["system", "developer", "assistant"]).optional(),
});

const Body = z
  .looseObject({
    model: z.string().max(64),
    input: z
      .union([
        z.string(),
        z
          .array(z.union([Item, OtherItem]))
          .min(1)
          .max(1000),
      ])
      .openapi({
        description:
          "As the `messages` of `POST /v1/chat/completions`: the last `user` message counts",
      }),
    stream: z.boolean().nullish(),
    tool_choice: toolChoice,
    text: z.looseObject({ format: TextFormat.nullish() }).nullish(),
    previous_response_id: z.null("responses are not kept").optional(),
    background: z.literal(false, "use POST /v1/ocr").nullish(),
    fovea: foveaOptions,
  })
  .openapi("ResponsesRequest", {
    description:
      "Other fields of OpenAI's API (`instructions`, `temperature`, `tools`, `store`, …) are accepted and ignored.",
  });

const OutputText = z.object({
  type: z.literal("output_text"),
  text: z.string().openapi({ description: "Markdown of all pages; with a schema: JSON" }),
  annotations: z.array(z.unknown()),
  logprobs: z.array(z.unknown()),
});

const Refusal = z.object({ type: z.literal("refusal"), refusal: z.string() });

const ResponseObject = z
  .looseObject({
    id: z.string(),
    object: z.literal("response"),
    created_at: z.int(),
    status: z.enum(["in_progress", "completed", "incomplete", "failed"]),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    incomplete_details: z.object({ reason: z.string() }).nullable(),
    model: z.string(),
    output: z.array(
      z.object({
        type: z.literal("message"),
        id: z.string(),
        status: z.enum(["in_progress", "completed", "incomplete"]),
        role: z.literal("assistant"),
        content: z.array(z.union([OutputText, Refusal])),
      }),
    ),
    usage: z
      .object({
        input_tokens: z.int(),
        input_tokens_details: z.object({ cached_tokens: z.int() }),
        output_tokens: z.int(),
        output_tokens_details: z.object({ reasoning_tokens: z.int() }),
        total_tokens: z.int(),
      })
      .nullable(),
    fovea: z
      .looseObject({ job_id: z.string(), file_id: z.string(), state: z.string() })
      .openapi({ description: "As in a chat completion" }),
  })
  .openapi("Response");
type ResponseObject = z.infer<typeof ResponseObject>;

const route = createRoute({
  method: "post",
  path: "/v1/responses",
  operationId: "createResponse",
  tags: ["chat"],
  summary: "Read a document, for OpenAI clients of the Responses API",
  description:
    "As `POST /v1/chat/completions`. With `stream: true`, text comes page by page as `response.output_text.delta`. Nothing but the job is kept.",
  security: [{ bearer: [] }],
  middleware: [requires("write"), jsonBody(20 * MIB)] as const,
  request: { body: { content: { "application/json": { schema: Body } }, required: true } },
  responses: {
    200: {
      description: "The response",
      content: {
        "application/json": { schema: ResponseObject },
        "text/event-stream": { schema: z.string() },
      },
    },
    ...CHAT_ERRORS,
  },
});

export const responses = (app: App) => {
  app.use(route.path, chatErrors);
  app.use(`${route.path}/*`, chatErrors);
  app.openapi(route, async (c) => {
    const { model, input, stream, fovea, text } = c.req.valid("json");
    const items = typeof input === "string" ? [{ role: "user" as const, content: input }] : input;
    const messages = items.map(
      (item): Message =>
        item.role === "user"
          ? { role: "user", content: partsOf(item.content as string | Part[]) }
          : { role: item.role ?? "tool" },
    );
    const schema = text?.format?.type === "json_schema" ? text.format.schema : undefined;
    const completion = await begin(c, { model, fovea, messages, schema });
    if (stream)
      return streamSSE(c, (sse) =>
        streamPages(c, sse, completion, eventsOf(sse, completion)),
      ) as never;
    await complete(c, completion);
    return c.json(responseOf(completion), 200);
  });
};

/** The parts of a message as chat completions have them. */
function partsOf(content: string | Part[]): Message["content"] {
  if (typeof content === "string") return content;
  return content.map((part) => {
    if (part.type === "input_text") return { type: "text", text: part.text };
    const { file_id } = part;
    const url = part.type === "input_image" ? part.image_url : part.file_url;
    if (url) return { type: "image_url", image_url: { url } };
    return {
      type: "file",
      file: { file_id, file_data: part.type === "input_file" ? part.file_data : null },
    };
  });
}

type Item = ResponseObject["output"][number];

const textPart = (text: string) => ({
  type: "output_text" as const,
  text,
  annotations: [],
  logprobs: [],
});

function itemOf(completion: Completion, status: Item["status"], content: Item["content"]): Item {
  const id = `msg_${completion.job.id.replace("job_", "")}`;
  return { type: "message", id, status, role: "assistant", content };
}

/** @param status left out: the answer is whole */
function responseOf(
  completion: Completion,
  status?: "in_progress" | "failed",
  error: ResponseObject["error"] = null,
): ResponseObject {
  const { job, created } = completion;
  const isCut = status === undefined && completion.finish() === "length";
  const { prompt_tokens, completion_tokens, total_tokens, prompt_tokens_details } =
    completion.usage();
  const state = isCut ? "incomplete" : "completed";
  const { content, refusal } = completion;
  const part = refusal === null ? textPart(content ?? "") : { type: "refusal" as const, refusal };
  return {
    id: `resp_${job.id.replace("job_", "")}`,
    object: "response",
    created_at: created,
    status: status ?? state,
    error,
    incomplete_details: isCut ? { reason: "max_output_tokens" } : null,
    model: job.options.model,
    output: status ? [] : [itemOf(completion, state, [part])],
    usage: status
      ? null
      : {
          input_tokens: prompt_tokens,
          input_tokens_details: prompt_tokens_details,
          output_tokens: completion_tokens,
          output_tokens_details: { reasoning_tokens: 0 },
          total_tokens,
        },
    // What OpenAI's clients expect besides.
    instructions: null,
    max_output_tokens: null,
    metadata: {},
    parallel_tool_calls: false,
    previous_response_id: null,
    store: false,
    temperature: null,
    tool_choice: "none",
    tools: [],
    top_p: null,
    fovea: completion.extension(),
  };
}

function eventsOf(stream: SSEStreamingApi, completion: Completion): Events {
  let number = 0;
  const send = (type: string, data: object) =>
    stream.writeSSE({
      event: type,
      data: JSON.stringify({ type, sequence_number: number++, ...data }),
    });
  const item_id = itemOf(completion, "in_progress", []).id;
  const at = { item_id, output_index: 0, content_index: 0 };
  return {
    async start() {
      const response = responseOf(completion, "in_progress");
      await send("response.created", { response });
      await send("response.in_progress", { response });
      const item = itemOf(completion, "in_progress", []);
      await send("response.output_item.added", { output_index: 0, item });
      await send("response.content_part.added", { ...at, part: textPart("") });
    },
    text: (delta) => send("response.output_text.delta", { ...at, delta, logprobs: [] }),
    async fail(code, message) {
      const error = { code, message };
      await send("response.failed", { response: responseOf(completion, "failed", error) });
    },
    async end() {
      const response = responseOf(completion);
      const [item] = response.output as [Item];
      const [part] = item.content as [ReturnType<typeof textPart>];
      await send("response.output_text.done", { ...at, text: part.text, logprobs: [] });
      await send("response.content_part.done", { ...at, part });
      await send("response.output_item.done", { output_index: 0, item });
      await send(`response.${response.status}`, { response });
    },
  };
}
