/** POST /v1/chat/completions for OpenAI's clients: a message contains a document, the answer is its text. */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import type { App, AppEnv } from "../../context.ts";
import * as chat from "../../domain/jobs/chat.ts";
import { cacheStatus, isOver } from "../../domain/jobs/job.ts";
import { JobRequest, readingFields } from "../../domain/jobs/job-request.ts";
import { MODES, QUESTIONS, reader, TEXT_LAYERS } from "../../domain/pages/models.ts";
import { presentationFields } from "../../domain/pages/presentation.ts";
import { attachExtraction, driveAttached, EXTRACT } from "../../extraction/extract.ts";
import { requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, MIB } from "../../http/body.ts";
import { IDEMPOTENT, startedOnce } from "../../http/idempotency.ts";
import { chatError, chatErrors, documentedChatErrors } from "../../http/openai-error.ts";
import { CREATE_JOB } from "../../jobs/create.ts";
import { createJobs } from "../../jobs/create-several.ts";
import { presentedEntries } from "../../jobs/present.ts";
import { wholeResult } from "../../jobs/result.ts";
import { waitForEnd } from "../../jobs/watch.ts";
import { Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import { findJob, type Job, type JobPage, jobPages } from "../../storage/jobs.ts";
import { Completion, Extension, fits, Usage } from "./completion.ts";
import { type Events, streamPages } from "./stream.ts";
import { dataOf, ResponseFormat } from "./structured.ts";

/** The timeout of OpenAI's own clients. The job continues after it. */
const HOLD_S = 600;

const address = z
  .string()
  .openapi({ description: "`https:` URL or `data:` URL of an image or PDF" });

const Part = z.discriminatedUnion(
  "type",
  [
    z.looseObject({ type: z.literal("text"), text: z.string() }),
    z.looseObject({
      type: z.literal("image_url"),
      image_url: z.union([address, z.looseObject({ url: address })]),
    }),
    z.looseObject({
      type: z.literal("file"),
      file: z.looseObject({
        file_id: z.string().nullish().openapi({ description: "Id from POST /v1/files" }),
        file_data: z.string().nullish().openapi({ description: "A `data:` URL, or base64" }),
      }),
    }),
  ],
  { error: "parts are of the types `text`, `image_url` and `file`" },
);

/** Messages that can have a document. All others are ignored, whatever is in them. */
const UserMessage = z.looseObject({
  role: z.literal("user"),
  content: z.union([z.string(), z.array(Part).max(100)], {
    error: "a text, or parts of the types `text`, `image_url` and `file`",
  }),
});
const OtherMessage = z.looseObject({
  role: z.enum(["system", "developer", "assistant", "tool", "function"]),
});

export const foveaOptions = z
  .strictObject({
    pages: z.string().optional(),
    mode: z.enum(MODES).optional(),
    token_budget: z.int().optional(),
    witness: z.boolean().optional(),
    text_layer: z.enum(TEXT_LAYERS).optional(),
    sequence: readingFields.sequence.optional(),
    languages: readingFields.languages.optional(),
    table_format: presentationFields.table_format.optional(),
    figures: presentationFields.figures.optional(),
    hyperlinks: presentationFields.hyperlinks.optional(),
    task: z.enum(QUESTIONS).optional().openapi({
      description: "Overrides the task in the message, whose text is then a prompt",
    }),
    dpi: z.int().optional(),
    tokens: z.enum(["keep", "none"]).optional().openapi({
      description: "`keep`: later questions about the same pages need no encoding",
    }),
    password: JobRequest.shape.password,
    cache: z.enum(["use", "refresh", "only"]).optional(),
    metadata: z.record(z.string(), z.string()).optional(),
  })
  .default({})
  .openapi({ description: "Options of POST /v1/ocr" });

/** No model here calls tools, which is what a model may choose unless the request demands a call. */
export const toolChoice = z
  .enum(["auto", "none"], "no model here calls tools: send `auto` or `none`")
  .nullish();

const Body = z
  .looseObject({
    model: z.string().max(64),
    messages: z
      .array(z.discriminatedUnion("role", [UserMessage, OtherMessage]))
      .min(1)
      .max(1000)
      .openapi({
        description:
          "The text of the last `user` message is a task (`markdown`, `free`, `ocr`, `figure`, `describe`, `deep`), the official wording of a task (`Free OCR.`, `Locate <|ref|>total<|/ref|> in the image.`), or a prompt, if the model takes prompts. Without text, the task is `markdown`. The documents, at most 20, are in the same message or in the last message before it that has one, and their texts follow each other. All other messages are ignored.",
      }),
    stream: z.boolean().nullish(),
    stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
    n: z.literal(1).nullish(),
    tool_choice: toolChoice,
    response_format: ResponseFormat.nullish(),
    fovea: foveaOptions,
  })
  .openapi("ChatRequest", {
    description:
      "Other fields of OpenAI's API (`temperature`, `max_tokens`, `tools`, …) are accepted and ignored.",
  });

const ChatCompletion = z
  .object({
    id: z.string(),
    object: z.literal("chat.completion"),
    created: z.int(),
    model: z.string(),
    choices: z.array(
      z.object({
        index: z.literal(0),
        message: z.object({
          role: z.literal("assistant"),
          content: z
            .string()
            .nullable()
            .openapi({ description: "Markdown of all pages; with a schema: JSON" }),
          refusal: z.string().nullable(),
        }),
        logprobs: z.null(),
        finish_reason: z.enum(["stop", "length"]),
      }),
    ),
    usage: Usage,
    fovea: Extension,
  })
  .openapi("ChatCompletion");

/** The errors of a request that reads a document and waits for its text. */
export const CHAT_ERRORS = documentedChatErrors(
  JSON_BODY,
  IDEMPOTENT,
  CREATE_JOB,
  EXTRACT,
  "extraction-failed",
  "not-cached",
  "document-unread",
  "took-too-long",
);

const route = createRoute({
  method: "post",
  path: "/v1/chat/completions",
  operationId: "createChatCompletion",
  tags: ["chat"],
  summary: "Read a document, for OpenAI clients",
  description:
    "With `stream: true`, streams page by page. `fovea` is in the response or in the last chunk. If no page of the document can be read, the response is an error.",
  security: [{ bearer: [] }],
  middleware: [requires("write"), jsonBody(20 * MIB)] as const,
  request: { body: { content: { "application/json": { schema: Body } }, required: true } },
  responses: {
    200: {
      description: "The completion",
      content: {
        "application/json": { schema: ChatCompletion },
        "text/event-stream": { schema: z.string() },
      },
    },
    ...CHAT_ERRORS,
  },
});

export const chatCompletions = (app: App) => {
  app.use(route.path, chatErrors);
  app.openapi(route, async (c) => {
    const body = c.req.valid("json");
    const format = body.response_format;
    const schema = format?.type === "json_schema" ? format.json_schema.schema : undefined;
    const completion = await begin(c, { ...body, schema });
    if (body.stream) {
      const withUsage = body.stream_options?.include_usage === true;
      return streamSSE(c, (stream) =>
        streamPages(c, stream, completion, chunksOf(stream, completion, withUsage)),
      ) as never;
    }
    await complete(c, completion);
    return c.json(completion.whole() as z.infer<typeof ChatCompletion>, 200);
  });
};

/** What a chat request asks for. */
export type ChatRequest = Pick<z.infer<typeof Body>, "model" | "fovea"> & {
  messages: chat.Message[];
  /** Left out: the answer is the text. */
  schema?: Record<string, unknown> | undefined;
};

/**
 * Starts reading the documents of a conversation, each as a job. With a schema, the words are instructions for the model that extracts.
 * @throws Problem of `CREATE_JOB` or `EXTRACT`, or `invalid-request` if there is no document
 */
export async function begin(c: Context<AppEnv>, body: ChatRequest): Promise<Completion> {
  const conversation = chat.readConversation(body.messages);
  if (typeof conversation === "string") throw new Problem("invalid-request", conversation);
  const { documents, words, unread } = conversation;
  const { schema } = body;
  if (schema && documents.length > 1)
    throw new Problem("invalid-request", "messages: with a schema, only one document is allowed");
  const reading = readingOf(c, body, schema ? "" : words);
  // An Idempotency-Key stores only the jobs, because the response may be a stream of several minutes.
  const { ids } = await startedOnce<{ ids: [string, ...string[]] }>(
    c,
    () => JSON.stringify([reading, documents, schema, schema && words]),
    async () => {
      const extract =
        schema && (await attachExtraction(c.env, c.get("caller"), { schema, instructions: words }));
      const wanted = documents.map((document) => ({ ...reading, document }));
      const made = await createJobs(c.env, c.var, wanted, c.get("claim"), extract);
      const [{ job, pages }] = made;
      if (schema) await driveAttached(c.env, job);
      c.set("answerFileId", job.fileId);
      const headers = {
        location: `/v1/jobs/${job.id}`,
        "cache-status": cacheStatus(pages, job.cache),
      };
      return Response.json({ ids: made.map(({ job }) => job.id) }, { headers });
    },
  );

  c.set("jobId", ids[0]);
  const { tenantId } = c.get("caller");
  const jobs = await Promise.all(ids.map((id) => findJob(c.env.DB, tenantId, id)));
  const found = jobs.filter((job) => job !== null);
  if (found.length < ids.length) throw new Problem("gone", "The job was deleted.");
  return new Completion(found as [Job, ...Job[]], unread);
}

/** Waits for the whole answer. @throws Problem `took-too-long`, `document-unread`, or of `dataOf` */
export async function complete(c: Context<AppEnv>, completion: Completion): Promise<void> {
  const end = Date.now() + HOLD_S * 1000;
  const room = fits();
  for (const [i, { id, tenantId }] of completion.jobs.entries()) {
    const job = await waitForEnd(c.env, tenantId, id, Math.max(0, end - Date.now()));
    completion.jobs[i] = job;
    if (!isOver(job.state))
      throw new Problem("took-too-long", `Not read within ${HOLD_S} s; the job ${id} continues.`);
    const pages = await jobPages(c.env.DB, id);
    let at = 0;
    const stored = await wholeResult(c.env, job, pages);
    for await (const entry of presentedEntries(c.env, job, stored, job.presentation, room))
      completion.add(i, pages[at++] as JobPage, entry);
  }
  const { job } = completion;
  const fault = completion.fault();
  if (fault) throw new Problem("document-unread", fault);
  if (!job.extractionId) return;
  completion.data = await dataOf(c.env, job, Math.max(0, end - Date.now()));
  if (!completion.data)
    throw new Problem("took-too-long", `No data within ${HOLD_S} s; the job ${job.id} continues.`);
}

/** @throws Problem if the model does not accept the words */
function readingOf(c: Context<AppEnv>, body: ChatRequest, words: string) {
  const { task, prompt } = body.fovea.task
    ? { task: body.fovea.task, prompt: words || undefined }
    : chat.taskOf(words);
  const { tasks, prompts } = reader(body.model);
  if (prompt !== undefined && !prompts && settings(c.env).MODELS.includes(body.model))
    throw new Problem(
      "unsupported-option",
      `${body.model} takes no prompt: name one of the tasks ${tasks.join(", ")}, or send no text.`,
    );
  return { model: body.model, ...body.fovea, task, prompt };
}

function chunksOf(stream: SSEStreamingApi, completion: Completion, withUsage: boolean): Events {
  const send = (chunk: object) => stream.writeSSE({ data: JSON.stringify(chunk) });
  return {
    start: () => send(completion.chunk({ role: "assistant", content: "" })),
    text: (content) => send(completion.chunk({ content })),
    fail: (code, fault) => send(chatError(422, code, fault)),
    async end() {
      await send(completion.chunk({}, completion.finish(), { fovea: completion.extension() }));
      if (withUsage) await send(completion.usageChunk());
      await stream.writeSSE({ data: "[DONE]" });
    },
  };
}
