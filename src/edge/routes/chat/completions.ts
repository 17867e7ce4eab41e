/** POST /v1/chat/completions for OpenAI's clients: a message contains a document, the answer is its text. */
import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import type { App, AppEnv } from "../../context.ts";
import * as chat from "../../domain/jobs/chat.ts";
import { cacheStatus, isOver } from "../../domain/jobs/job.ts";
import { JobRequest, readingFields } from "../../domain/jobs/job-request.ts";
import { MODES, QUESTIONS, reader, TEXT_LAYERS } from "../../domain/pages/models.ts";
import type { PageEntry } from "../../domain/pages/page-result.ts";
import { presentationFields, roomForFigures } from "../../domain/pages/presentation.ts";
import { attachExtraction, driveAttached, EXTRACT } from "../../extraction/extract.ts";
import { requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, MIB } from "../../http/body.ts";
import { IDEMPOTENT, once } from "../../http/idempotency.ts";
import { chatError, chatErrors, documentedChatErrors } from "../../http/openai-error.ts";
import { CREATE_JOB, createJob } from "../../jobs/create.ts";
import { presentedEntries } from "../../jobs/present.ts";
import { wholeResult } from "../../jobs/result.ts";
import { followEvents, waitForEnd } from "../../jobs/watch.ts";
import { Problem, type ProblemCode } from "../../problem.ts";
import { settings } from "../../settings.ts";
import { findJob, type Job, type JobPage, jobPages } from "../../storage/jobs.ts";
import { readAllStored } from "../../storage/results.ts";
import { type Data, dataOf, ResponseFormat } from "./structured.ts";

/** The timeout of OpenAI's own clients. The job continues after it. */
const HOLD_S = 600;

/** Pictures in an answer, which is held in memory. Further figures have addresses. */
const fits = () => roomForFigures(8 * MIB);

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

const Usage = z.object({
  prompt_tokens: z.int().openapi({
    description:
      "Vision tokens; 0 for readers without them. With a schema: the tokens of the model that extracts, as the others here",
  }),
  completion_tokens: z.int().openapi({
    description: "Text tokens; estimated for readers that generate none, such as `pp-ocr`",
  }),
  total_tokens: z.int(),
  prompt_tokens_details: z.object({ cached_tokens: z.int() }),
});

const Extension = z.object({
  job_id: z.string().openapi({ description: "Of several documents: the first, as below" }),
  file_id: z.string(),
  state: z.string(),
  documents: z
    .array(z.object({ job_id: z.string(), file_id: z.string(), state: z.string() }))
    .optional()
    .openapi({ description: "If there are several: all of them" }),
  verdict: z.string().openapi({ description: "Verdict of the worst page" }),
  pages: z.array(
    z.object({
      document: z.int().optional().openapi({ description: "From 1, if there are several" }),
      page: z.int(),
      verdict: z.string(),
      source: z.string(),
      error: z.object({ code: z.string(), message: z.string() }).nullable(),
    }),
  ),
  unread_messages: z.int(),
  extraction_id: z.string().optional().openapi({
    description: "With a schema: `GET /v1/jobs/{id}/extractions/{id}` has the citations",
  }),
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
  const started = await once(
    c,
    () => JSON.stringify([reading, documents, schema, schema && words]),
    async () => {
      const extract =
        schema && (await attachExtraction(c.env, c.get("caller"), { schema, instructions: words }));
      const [document, ...others] = documents as [chat.Document, ...chat.Document[]];
      const wanted = { ...reading, document };
      const { job, pages } = await createJob(c.env, c.var, wanted, c.get("claim"), extract);
      if (schema) await driveAttached(c.env, job);
      const ids = [job.id];
      for (const document of others)
        ids.push((await createJob(c.env, c.var, { ...reading, document })).job.id);
      c.set("answerFileId", job.fileId);
      const headers = {
        location: `/v1/jobs/${job.id}`,
        "cache-status": cacheStatus(pages, job.cache),
      };
      return Response.json({ ids }, { headers });
    },
  );
  const { ids } = await started.json<{ ids: [string, ...string[]] }>();
  for (const name of ["cache-status", "location"])
    c.header(name, started.headers.get(name) ?? undefined);

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

/** Builds an answer page by page. */
export class Completion {
  /** One for each document, in their order. */
  readonly jobs: [Job, ...Job[]];
  /** The answer to a request with a schema, when it is there. */
  data: Data | null = null;
  readonly #unread: number;
  readonly #created = Math.floor(Date.now() / 1000);
  readonly #pages: z.infer<typeof Extension>["pages"] = [];
  #tally = chat.emptyTally();
  #content = "";

  constructor(jobs: [Job, ...Job[]], unread: number) {
    this.jobs = jobs;
    this.#unread = unread;
  }

  /** The first; with a schema, the only one. */
  get job(): Job {
    return this.jobs[0];
  }

  /** @param document its index @returns what the page adds to the content */
  add(document: number, page: JobPage, entry: PageEntry): string {
    this.#tally = chat.count(this.#tally, entry, page.source === "hit");
    this.#pages.push({
      ...(this.jobs.length > 1 && { document: document + 1 }),
      page: page.page,
      source: page.source,
      error: entry.error,
      verdict: entry.result?.verdict ?? "failed",
    });
    const content = chat.pageContent(entry);
    if (content === "") return "";
    const piece = this.#content === "" ? content : `\n\n${content}`;
    this.#content += piece;
    return piece;
  }

  /** Why there is no answer; `null` if a page has a result. */
  fault(): string | null {
    if (this.#pages.some(({ error }) => error === null)) return null;
    const error =
      this.jobs.find(({ error }) => error)?.error ?? this.#pages.find((page) => page.error)?.error;
    return error ? `${error.code}: ${error.message}` : `The job is ${this.job.state}.`;
  }

  whole() {
    const { content, refusal } = this;
    const message = { role: "assistant", content, refusal };
    const choice = { index: 0, message, logprobs: null, finish_reason: this.finish() };
    return {
      ...this.#frame("chat.completion"),
      choices: [choice],
      usage: this.usage(),
      fovea: this.extension(),
    };
  }

  chunk(delta: object, finish: string | null = null, more: object = {}) {
    const choice = { index: 0, delta, logprobs: null, finish_reason: finish };
    return { ...this.#frame("chat.completion.chunk"), choices: [choice], ...more };
  }

  usageChunk() {
    return { ...this.#frame("chat.completion.chunk"), choices: [], usage: this.usage() };
  }

  get created(): number {
    return this.#created;
  }

  get content(): string | null {
    return this.data ? this.data.content : this.#content;
  }

  get refusal(): string | null {
    return this.data?.refusal ?? null;
  }

  finish = () => (this.data ? "stop" : chat.finishReason(this.#tally));
  usage = () =>
    this.data
      ? chat.usageOf({ vision: this.data.tokens.input, text: this.data.tokens.output, cached: 0 })
      : chat.usageOf(this.#tally);

  extension(): z.infer<typeof Extension> {
    const { id, fileId, state, extractionId } = this.job;
    return {
      job_id: id,
      file_id: fileId,
      state,
      ...(this.jobs.length > 1 && {
        documents: this.jobs.map(({ id, fileId, state }) => ({
          job_id: id,
          file_id: fileId,
          state,
        })),
      }),
      verdict: this.#tally.verdict,
      pages: this.#pages,
      unread_messages: this.#unread,
      ...(extractionId && { extraction_id: extractionId }),
    };
  }

  #frame(object: string) {
    const { id, options } = this.job;
    const chatId = `chatcmpl-${id.replace("job_", "")}`;
    return { id: chatId, object, created: this.#created, model: options.model };
  }
}

/** The events of a streamed answer. */
export interface Events {
  start(): Promise<void>;
  /** @param piece of the content */
  text(piece: string): Promise<void>;
  /** There is no answer. @param fault a message for the client */
  fail(code: ProblemCode, fault: string): Promise<void>;
  end(): Promise<void>;
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

/** Milliseconds between two signs of life of a stream. */
const SIGN_MS = 15_000;

/** Sends each page as soon as it and all pages before it are read; with a schema, the data when all are. */
export async function streamPages(
  c: Context<AppEnv>,
  stream: SSEStreamingApi,
  completion: Completion,
  events: Events,
): Promise<void> {
  const room = fits();
  await events.start();
  for (const document of completion.jobs.keys()) {
    await streamDocument(c, stream, completion, document, events, room);
    if (stream.aborted) return;
  }
  const fault = completion.fault();
  if (fault) return events.fail("document-unread", fault);
  if (completion.job.extractionId) {
    const failure = await streamData(c, stream, completion, events);
    if (failure) return events.fail(failure.code, failure.message);
  }
  await events.end();
}

/** Sends the pages of one document. Leaves off when the client is gone. */
async function streamDocument(
  c: Context<AppEnv>,
  stream: SSEStreamingApi,
  completion: Completion,
  document: number,
  events: Events,
  room: ReturnType<typeof fits>,
): Promise<void> {
  const { DB } = c.env;
  const job = completion.jobs[document] as Job;
  const { id, tenantId, presentation } = job;
  let sent = 0;
  /** The page of the next chunk, if known. */
  let awaited: number | undefined;
  const sendRead = async () => {
    const pages = await jobPages(DB, id);
    for (; pages[sent] && pages[sent]?.state !== "pending"; sent++) {
      const page = pages[sent] as JobPage;
      const stored = readAllStored(c.env.BUCKET, job, [page]);
      for await (const entry of presentedEntries(c.env, job, stored, presentation, room)) {
        const content = completion.add(document, page, entry);
        if (content !== "" && !job.extractionId) await events.text(content);
      }
    }
    awaited = pages[sent]?.page;
  };

  for await (const event of followEvents(c.env, tenantId, id, 0)) {
    if (stream.aborted) return;
    if (event === null) await stream.write(": still here\n\n");
    else if (event.type === "page") {
      const { page } = JSON.parse(event.data) as { page: number };
      if (awaited === undefined || awaited === page) await sendRead();
    }
  }
  await sendRead();
  completion.jobs[document] = (await findJob(DB, tenantId, id)) ?? job;
}

/** @returns why there are no data; `null` if they were sent, or the client is gone */
async function streamData(
  c: Context<AppEnv>,
  stream: SSEStreamingApi,
  completion: Completion,
  events: Events,
): Promise<Problem | null> {
  try {
    while (!completion.data && !stream.aborted) {
      await stream.write(": still here\n\n");
      completion.data = await dataOf(c.env, completion.job, SIGN_MS);
    }
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  const { content, refusal } = completion;
  if (refusal !== null) return new Problem("extraction-failed", refusal);
  if (content) await events.text(content);
  return null;
}
