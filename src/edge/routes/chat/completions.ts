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
import { requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, MIB } from "../../http/body.ts";
import { IDEMPOTENT, once } from "../../http/idempotency.ts";
import { chatError, chatErrors, documentedChatErrors } from "../../http/openai-error.ts";
import { CREATE_JOB, createJob } from "../../jobs/create.ts";
import { presentedEntries } from "../../jobs/present.ts";
import { wholeResult } from "../../jobs/result.ts";
import { followEvents, waitForEnd } from "../../jobs/watch.ts";
import { Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import { findJob, type Job, type JobPage, jobPages } from "../../storage/jobs.ts";
import { readAllStored } from "../../storage/results.ts";

/** The timeout of OpenAI's own clients. The job continues after it. */
const HOLD_S = 600;

/** Pictures in an answer, which is held in memory. Further figures have addresses. */
const fits = () => roomForFigures(8 * MIB);

const Part = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("text"), text: z.string().max(8000) }),
  z.looseObject({
    type: z.literal("image_url"),
    image_url: z.looseObject({
      url: z.string().openapi({ description: "`https:` URL or `data:` URL of an image or PDF" }),
    }),
  }),
  z.looseObject({
    type: z.literal("file"),
    file: z.looseObject({
      file_id: z.string().optional().openapi({ description: "Id from POST /v1/files" }),
      file_data: z.string().optional().openapi({ description: "A `data:` URL" }),
    }),
  }),
]);

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

const Body = z
  .looseObject({
    model: z.string().max(64),
    messages: z
      .array(
        z.looseObject({
          role: z.enum(["system", "developer", "user", "assistant", "tool"]),
          content: z.union([z.string(), z.array(Part).max(100)]).nullish(),
        }),
      )
      .min(1)
      .max(1000)
      .openapi({
        description:
          "The text of the last `user` message is a task (`markdown`, `free`, `ocr`, `figure`, `describe`, `deep`), the official wording of a task (`Free OCR.`, `Locate <|ref|>total<|/ref|> in the image.`), or a prompt, if the model takes prompts. Without text, the task is `markdown`. The document is in the same message or in the last message before it that has one. All other messages are ignored.",
      }),
    stream: z.boolean().nullish(),
    stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
    n: z.literal(1).nullish(),
    tools: z.array(z.unknown()).max(0, "tools are not supported").nullish(),
    response_format: z.looseObject({ type: z.literal("text") }).nullish(),
    fovea: foveaOptions,
  })
  .openapi("ChatRequest", {
    description:
      "Other fields of OpenAI's API (`temperature`, `max_tokens`, …) are accepted and ignored.",
  });

const Usage = z.object({
  prompt_tokens: z.int().openapi({ description: "Vision tokens; 0 for readers without them" }),
  completion_tokens: z.int().openapi({
    description: "Text tokens; estimated for readers that generate none, such as `pp-ocr`",
  }),
  total_tokens: z.int(),
  prompt_tokens_details: z.object({ cached_tokens: z.int() }),
});

const Extension = z.object({
  job_id: z.string(),
  file_id: z.string(),
  state: z.string(),
  verdict: z.string().openapi({ description: "Verdict of the worst page" }),
  pages: z.array(
    z.object({
      page: z.int(),
      verdict: z.string(),
      source: z.string(),
      error: z.object({ code: z.string(), message: z.string() }).nullable(),
    }),
  ),
  unread_messages: z.int(),
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
          content: z.string().openapi({ description: "Markdown of all pages" }),
          refusal: z.null(),
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
    const completion = await begin(c, body);
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
};

/**
 * Starts reading the document of a conversation.
 * @throws Problem of `CREATE_JOB`, or `invalid-request` if there is no document
 */
export async function begin(c: Context<AppEnv>, body: ChatRequest): Promise<Completion> {
  const conversation = chat.readConversation(body.messages);
  if (typeof conversation === "string") throw new Problem("invalid-request", conversation);
  const { document, words, unread } = conversation;

  const wanted = { ...readingOf(c, body, words), document };
  // An Idempotency-Key stores only the job, because the response may be a stream of several minutes.
  const started = await once(
    c,
    () => JSON.stringify(wanted),
    async () => {
      const { job, pages } = await createJob(c.env, c.var, wanted);
      c.set("answerFileId", job.fileId);
      const headers = {
        location: `/v1/jobs/${job.id}`,
        "cache-status": cacheStatus(pages, job.cache),
      };
      return Response.json({ id: job.id }, { headers });
    },
  );
  const { id } = await started.json<{ id: string }>();
  for (const name of ["cache-status", "location"])
    c.header(name, started.headers.get(name) ?? undefined);

  c.set("jobId", id);
  const job = await findJob(c.env.DB, c.get("caller").tenantId, id);
  if (!job) throw new Problem("gone", "The job was deleted.");
  return new Completion(job, unread);
}

/** Waits for the whole answer. @throws Problem `took-too-long` or `document-unread` */
export async function complete(c: Context<AppEnv>, completion: Completion): Promise<void> {
  const { job } = completion;
  const { id, tenantId } = job;
  completion.job = await waitForEnd(c.env, tenantId, id, HOLD_S * 1000);
  if (!isOver(completion.job.state))
    throw new Problem("took-too-long", `Not read within ${HOLD_S} s; the job ${id} continues.`);
  const pages = await jobPages(c.env.DB, id);
  let at = 0;
  const stored = await wholeResult(c.env, job, pages);
  for await (const entry of presentedEntries(c.env, job, stored, job.presentation, fits()))
    completion.add(pages[at++] as JobPage, entry);
  const fault = completion.fault();
  if (fault) throw new Problem("document-unread", fault);
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
  job: Job;
  readonly #unread: number;
  readonly #created = Math.floor(Date.now() / 1000);
  readonly #pages: z.infer<typeof Extension>["pages"] = [];
  #tally = chat.emptyTally();
  #content = "";

  constructor(job: Job, unread: number) {
    this.job = job;
    this.#unread = unread;
  }

  /** @returns what the page adds to the content */
  add(page: JobPage, entry: PageEntry): string {
    this.#tally = chat.count(this.#tally, entry, page.source === "hit");
    this.#pages.push({
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
    const error = this.job.error ?? this.#pages.find((page) => page.error)?.error;
    return error ? `${error.code}: ${error.message}` : `The job is ${this.job.state}.`;
  }

  whole() {
    const message = { role: "assistant", content: this.#content, refusal: null };
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

  get content(): string {
    return this.#content;
  }

  finish = () => chat.finishReason(this.#tally);
  usage = () => chat.usageOf(this.#tally);

  extension(): z.infer<typeof Extension> {
    const { id, fileId, state } = this.job;
    return {
      job_id: id,
      file_id: fileId,
      state,
      verdict: this.#tally.verdict,
      pages: this.#pages,
      unread_messages: this.#unread,
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
  fail(fault: string): Promise<void>;
  end(): Promise<void>;
}

function chunksOf(stream: SSEStreamingApi, completion: Completion, withUsage: boolean): Events {
  const send = (chunk: object) => stream.writeSSE({ data: JSON.stringify(chunk) });
  return {
    start: () => send(completion.chunk({ role: "assistant", content: "" })),
    text: (content) => send(completion.chunk({ content })),
    fail: (fault) => send(chatError(422, "document-unread", fault)),
    async end() {
      await send(completion.chunk({}, completion.finish(), { fovea: completion.extension() }));
      if (withUsage) await send(completion.usageChunk());
      await stream.writeSSE({ data: "[DONE]" });
    },
  };
}

/** Sends each page as soon as it and all pages before it are read. */
export async function streamPages(
  c: Context<AppEnv>,
  stream: SSEStreamingApi,
  completion: Completion,
  events: Events,
): Promise<void> {
  const { DB } = c.env;
  const { id, tenantId } = completion.job;
  let sent = 0;
  /** The page of the next chunk, if known. */
  let awaited: number | undefined;
  const room = fits();
  const sendRead = async () => {
    const pages = await jobPages(DB, id);
    for (; pages[sent] && pages[sent]?.state !== "pending"; sent++) {
      const page = pages[sent] as JobPage;
      const { presentation } = completion.job;
      for await (const entry of presentedEntries(
        c.env,
        completion.job,
        readAllStored(c.env.BUCKET, completion.job, [page]),
        presentation,
        room,
      )) {
        const content = completion.add(page, entry);
        if (content !== "") await events.text(content);
      }
    }
    awaited = pages[sent]?.page;
  };

  await events.start();
  for await (const event of followEvents(c.env, tenantId, id, 0)) {
    if (stream.aborted) return;
    if (event === null) await stream.write(": still here\n\n");
    else if (event.type === "page") {
      const { page } = JSON.parse(event.data) as { page: number };
      if (awaited === undefined || awaited === page) await sendRead();
    }
  }
  await sendRead();
  completion.job = (await findJob(DB, tenantId, id)) ?? completion.job;
  const fault = completion.fault();
  if (fault) return events.fail(fault);
  await events.end();
}
