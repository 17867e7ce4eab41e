/**
 * docling-serve's API: POST /v1/convert/source and /v1/convert/file read documents and answer with them; with `/async`
 * they answer with a task. Each document is a job like any other.
 */
import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { App, AppEnv } from "../../context.ts";
import { type DocumentSource, findDocument } from "../../documents/ingest.ts";
import { type ConvertOptions, jobOf, type WantedJob } from "../../domain/docling/options.ts";
import { taskStatus } from "../../domain/docling/status.ts";
import { MAX_SOURCES, type Task, taskId } from "../../domain/docling/task.ts";
import { isText } from "../../domain/documents/media-type.ts";
import { fromBase64url } from "../../domain/encoding.ts";
import { cacheStatus } from "../../domain/jobs/job.ts";
import { optionsFromTexts } from "../../domain/jobs/option-texts.ts";
import { preferredWait } from "../../domain/protocol/prefer.ts";
import { requires } from "../../http/auth.ts";
import { JSON_BODY, jsonBody, MIB, parseJson } from "../../http/body.ts";
import {
  doclingErrors,
  documentedDoclingErrors,
  KEY_SCHEMES,
  keyHeader,
} from "../../http/docling.ts";
import { IDEMPOTENT, startedOnce } from "../../http/idempotency.ts";
import { isForm, RECEIVED, receiveForm, withDocuments } from "../../http/received.ts";
import { CREATE_JOB, type NewJob } from "../../jobs/create.ts";
import { createJobs } from "../../jobs/create-several.ts";
import { invalidRequest, Problem } from "../../problem.ts";
import { settings } from "../../settings.ts";
import type { StoredFile } from "../../storage/files.ts";
import { answer, NAME, whyFailed } from "./answer.ts";
import { ConvertForm, ConvertRequest, ConvertResponse, type Source, TaskStatus } from "./schema.ts";
import { EXPIRED, jobsAfter, statusView } from "./tasks.ts";

/** Longest wait for the documents of a request that is not `/async`. */
const HOLD_S = 280;

/** What a request asks for, apart from the documents. */
interface Wanted {
  options: ConvertOptions;
  target: "inbody" | "zip" | "presigned_url";
}

const binary = { type: "string" as const, format: "binary" };

const BODIES = {
  source: { "application/json": { schema: ConvertRequest } },
  file: {
    "multipart/form-data": {
      schema: z.object({
        files: z.array(z.string().openapi(binary)).min(1).max(MAX_SOURCES),
        ...ConvertForm.shape,
      }),
    },
  },
};

const SUMMARIES = {
  source: "Convert documents that are named or contained, as docling-serve does",
  file: "Convert documents of a form, as docling-serve does",
};

const ABOUT =
  "The API of docling-serve, with its bodies and errors. The key may also be in `X-Api-Key`. Several documents, or the target `zip`, make a ZIP archive.";

const routeOf = (kind: "source" | "file", isAsync: boolean) => ({
  method: "post" as const,
  path: `/v1/convert/${kind}${isAsync ? "/async" : ""}`,
  operationId: `doclingConvert${kind === "source" ? "Source" : "File"}${isAsync ? "Async" : ""}`,
  tags: ["docling"],
  summary: `${SUMMARIES[kind]}${isAsync ? ": start a task" : ""}`,
  description: isAsync
    ? `${ABOUT} The response is a task, for \`GET /v1/status/poll/{task_id}\` and \`GET /v1/result/{task_id}\`.`
    : `${ABOUT} The response waits for up to ${HOLD_S} s, or the shorter time of \`Prefer\`; then it is 504 with the \`task_id\`, and the task continues.`,
  security: KEY_SCHEMES,
  request: {
    ...(!isAsync && { headers: z.object({ prefer: z.string().optional() }) }),
    body: { content: BODIES[kind], required: true },
  },
  responses: {
    200: isAsync
      ? { description: "The task", content: { "application/json": { schema: TaskStatus } } }
      : {
          description: "The documents, as far as they could be read",
          content: {
            "application/json": { schema: ConvertResponse },
            "application/zip": { schema: binary },
          },
        },
    ...documentedDoclingErrors(
      JSON_BODY,
      RECEIVED,
      IDEMPOTENT,
      CREATE_JOB,
      "document-unread",
      "took-too-long",
    ),
  },
});

export const doclingConvert = (app: App) => {
  for (const isAsync of [false, true]) {
    const source = routeOf("source", isAsync);
    const file = routeOf("file", isAsync);
    app.openAPIRegistry.registerPath(source as never);
    app.openAPIRegistry.registerPath(file as never);
    const reply = isAsync ? replyTask : replyResult;
    app.post(
      source.path,
      doclingErrors,
      keyHeader,
      requires("write"),
      jsonBody(20 * MIB),
      async (c) => reply(c, await fromSources(c)),
    );
    app.post(file.path, doclingErrors, keyHeader, requires("write"), async (c) =>
      reply(c, await fromForm(c)),
    );
  }
};

/** The task of a JSON body. @throws Problem */
async function fromSources(c: Context<AppEnv>): Promise<Task> {
  const text = await c.req.text();
  const { data, error } = ConvertRequest.safeParse(parseJson(text));
  if (error) throw invalidRequest(error.issues);
  const wanted = { options: data.options, target: data.target.kind };
  const job = check(c, wanted, "options");
  return startedOnce<Task>(
    c,
    () => text,
    async () => {
      const { tenantId } = c.get("caller");
      const files: StoredFile[] = [];
      for (const [i, source] of data.sources.entries())
        files.push(await findDocument(c.env, tenantId, documentOf(source, i)));
      return started(c, files, wanted, job);
    },
  );
}

/** @param i which of the sources it is */
function documentOf(source: Source, i: number): DocumentSource {
  if (source.kind === "http") return { url: source.url };
  const { base64_string: data, filename: name } = source;
  const bytes = fromBase64url(data);
  if (!bytes)
    throw invalidRequest([{ path: ["sources", i, "base64_string"], message: "not base64" }]);
  return { bytes, mediaType: "application/octet-stream", name };
}

/** The task of a form. Options that come before a file are checked before it is stored. @throws Problem */
async function fromForm(c: Context<AppEnv>): Promise<Task> {
  if (!isForm(c.req.header("content-type") ?? ""))
    throw new Problem("invalid-request", "Send `multipart/form-data` with the field `files`.");
  const read = (fields: [string, string][]) => {
    const wanted = formOf(fields);
    return { wanted, job: check(c, wanted) };
  };
  const { stored, fields } = await receiveForm(c, {
    field: "files",
    most: MAX_SOURCES,
    check: read,
  });
  return withDocuments(c, stored, async () => {
    const { wanted, job } = read(fields);
    const files = stored.map(({ file }) => file);
    return startedOnce<Task>(
      c,
      () => JSON.stringify([files.map(({ sha256 }) => sha256), wanted]),
      () => started(c, files, wanted, job),
    );
  });
}

function formOf(fields: [string, string][]): Wanted {
  const read = optionsFromTexts(fields, ConvertForm.shape);
  if ("fault" in read) throw invalidRequest([read.fault]);
  const { data, error } = ConvertForm.safeParse(read.options);
  if (error) throw invalidRequest(error.issues);
  const { target_type: target, callbacks: _, ...options } = data;
  return { options, target };
}

/**
 * docling-serve's clients ask for `presigned_url` first. By these words they know that they have to ask for the body.
 */
const NO_ARTIFACTS =
  "Presigned URL target requires artifact storage to be configured and enabled on the server.";

/** @param path where the options are in the body. @throws Problem */
function check(c: Context<AppEnv>, { options, target }: Wanted, ...path: string[]): WantedJob {
  if (target === "presigned_url") throw new Problem("unsupported-option", NO_ARTIFACTS);
  const { MODELS, DEFAULT_MODEL } = settings(c.env);
  const job = jobOf(options, { models: MODELS, fallback: DEFAULT_MODEL });
  if ("message" in job) throw invalidRequest([{ ...job, path: [...path, ...job.path] }]);
  return job;
}

/** Starts the jobs; if one is refused, none continues. The stored answer to an Idempotency-Key is only the task's id. */
async function started(
  c: Context<AppEnv>,
  files: StoredFile[],
  { options, target }: Wanted,
  wanted: WantedJob,
): Promise<Response> {
  const specs = files.map(({ id, mediaType, name }): NewJob => {
    // Texts and Office documents have no layer: their own text is what `do_ocr: false` asks for.
    const text_layer =
      wanted.text_layer === "only" && isText(mediaType) ? "auto" : wanted.text_layer;
    const metadata: Record<string, string> = name ? { [NAME]: name.slice(0, 255) } : {};
    return { document: { file: id }, ...wanted, text_layer, metadata };
  });
  const made = await createJobs(c.env, c.var, specs, c.get("claim"));
  const [{ job, pages }] = made;
  const task: Task = {
    jobs: made.map(({ job }) => job.id),
    formats: [...new Set(options.to_formats)],
    images: options.include_images ? options.image_export_mode : "placeholder",
    target: target === "zip" ? "zip" : "inbody",
    pageBreak: options.md_page_break_placeholder,
  };
  c.set("answerFileId", job.fileId);
  if (made.length === 1) c.set("jobId", job.id);
  const headers: Record<string, string> =
    made.length === 1
      ? { location: `/v1/jobs/${job.id}`, "cache-status": cacheStatus(pages, job.cache) }
      : {};
  return Response.json(task, { headers });
}

async function replyTask(c: Context<AppEnv>, task: Task): Promise<Response> {
  return c.json(statusView(task, await jobsAfter(c, task, 0)), 200);
}

async function replyResult(c: Context<AppEnv>, task: Task): Promise<Response> {
  const seconds = preferredWait(c.req.header("prefer"), HOLD_S, HOLD_S);
  const jobs = await jobsAfter(c, task, seconds);
  const status = taskStatus(jobs, task.target);
  if (status === "failure") throw new Problem("document-unread", await whyFailed(c.env, jobs));
  if (status !== "success") {
    const id = taskId(task);
    throw new Problem(
      "took-too-long",
      `Not read within ${seconds} s. The task continues: repeat the request, which then gets what is there, or follow GET /v1/status/poll/${id}.`,
    );
  }
  const found = await answer(c, task, jobs);
  if (!found) throw new Problem("not-found", EXPIRED);
  return found;
}
