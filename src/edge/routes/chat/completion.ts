/** The answer to a chat request, as it is built page by page. */
import { z } from "@hono/zod-openapi";
import * as chat from "../../domain/jobs/chat.ts";
import type { PageEntry } from "../../domain/pages/page-result.ts";
import { roomForFigures } from "../../domain/pages/presentation.ts";
import { MIB } from "../../http/body.ts";
import type { Job, JobPage } from "../../storage/jobs.ts";
import type { Data } from "./structured.ts";

/** Pictures in an answer, which is held in memory. Further figures have addresses. */
export const fits = () => roomForFigures(8 * MIB);

export const Usage = z.object({
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

export const Extension = z.object({
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
