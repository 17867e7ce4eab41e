/**
 * Makes the images of a segment: a document for the renderer, its pages, and a check of what a reader reads in them. Each
 * step can be interrupted after any write and run again: the document and the job are recorded before the job starts, and
 * nothing is erased before what follows from it is recorded.
 */
import type { Env } from "../bindings.ts";
import { CONVERSATION } from "../domain/documents/media-type.ts";
import { newId } from "../domain/ids.ts";
import { isOver } from "../domain/jobs/job.ts";
import { pageLabels, sidecarText } from "../domain/memory/as-messages.ts";
import type { ChatMessage } from "../domain/memory/chat-message.ts";
import type { Conversation } from "../domain/memory/conversation.ts";
import { unread } from "../domain/memory/exact-terms.ts";
import { fidelity } from "../domain/memory/fidelity.ts";
import { messageText } from "../domain/memory/message-text.ts";
import { findProfile, type ImageForm, type Profile } from "../domain/memory/profiles.ts";
import { textInBoxes } from "../domain/memory/read-by-box.ts";
import { estimateTextTokens } from "../domain/memory/text-tokens.ts";
import { RENDER, reader as readerOf } from "../domain/pages/models.ts";
import type { PageError } from "../domain/pages/page-result.ts";
import { startJob } from "../jobs/create.ts";
import { deleteDocument } from "../jobs/retention.ts";
import { fileById, type StoredFile } from "../storage/files.ts";
import { deleteJob } from "../storage/job-retention.ts";
import { findJobById, type Job, jobPages, lastJobOf } from "../storage/jobs.ts";
import type { Context } from "../storage/memory/contexts.ts";
import { messagesOfSegment } from "../storage/memory/messages.ts";
import {
  deleteRender,
  findRender,
  insertRender,
  type PageBoxes,
  type Render,
  type RenderPage,
  type Segment,
  saveRender,
} from "../storage/memory/segments.ts";
import { readSegmentTexts } from "../storage/memory/texts.ts";
import { readImage, readStored } from "../storage/results.ts";
import { keepDocument, readingOptions } from "./documents.ts";

/** More inexact terms than this are not written beside an image: a clearer form is made instead. */
const MAX_SIDECAR = 40;
/** Below this share of characters, or with too many inexact terms, a clearer form is made. */
export const ENOUGH = 0.97;

export async function beginRender(
  env: Env,
  context: Context,
  segment: Segment,
  profile: Profile,
  form: ImageForm,
): Promise<Render> {
  const now = Date.now();
  const render: Render = {
    id: newId("item", now),
    segmentId: segment.id,
    profile: profile.id,
    form: form.id,
    state: "making",
    job: null,
    pages: [],
    sidecar: [],
    tokens: 0,
    precision: null,
    error: null,
    createdAt: now,
  };
  await insertRender(env.DB, context.id, render);
  return render;
}

/**
 * Takes a render as far as it goes now; changes `render`.
 * @returns the jobs that it waits for
 */
export async function advanceRender(
  env: Env,
  context: Context,
  segment: Segment,
  form: ImageForm | null,
  render: Render,
): Promise<string[]> {
  if (render.state === "making") {
    const waiting = form
      ? await make(env, context, segment, form, render)
      : await fail(env, context, render, null);
    if (waiting.length > 0) return waiting;
  }
  return render.state === "checking" ? check(env, context, segment, render) : [];
}

async function make(
  env: Env,
  context: Context,
  segment: Segment,
  form: ImageForm,
  render: Render,
): Promise<string[]> {
  render.job ??= await writeDocument(env, context, segment, form, render);
  const { fileId, jobId } = render.job;
  const job = await findJobById(env.DB, jobId);
  if (job && isOver(job.state)) {
    await land(env, context, segment, form, render, job);
    return [];
  }
  const file = await fileById(env.DB, context.tenantId, fileId);
  if (!file) return fail(env, context, render, null);
  const spec = { id: jobId, keyId: context.keyId, options: readingOptions(RENDER, "auto") };
  if (!job) await startJob(env, file, { ...spec, background: true });
  return [jobId];
}

/** The document that the renderer sets (docs/WORKER-PROTOCOL.md). */
async function writeDocument(
  env: Env,
  context: Context,
  segment: Segment,
  form: ImageForm,
  render: Render,
): Promise<{ fileId: string; jobId: string }> {
  const texts = await readSegmentTexts(env.BUCKET, context, segment);
  const messages = [...texts]
    .sort(([a], [b]) => a - b)
    .map(([number, content]) => ({
      number,
      role: content.role,
      name: content.name,
      text: messageText(content),
    }));
  const document: Conversation = { schema: 1, page: form.page, messages };
  const bytes = new TextEncoder().encode(JSON.stringify(document)) as Uint8Array<ArrayBuffer>;
  const { id } = await keepDocument(env, context, `${render.id}/text`, bytes, CONVERSATION);
  const job = { fileId: id, jobId: newId("job", Date.now()) };
  await saveRender(env.DB, { ...render, job });
  return job;
}

/** Makes the pages of the finished job the pages of the render, and erases the document and the job. */
async function land(
  env: Env,
  context: Context,
  segment: Segment,
  form: ImageForm,
  render: Render,
  job: Job,
): Promise<void> {
  const entries = await jobPages(env.DB, job.id);
  const pages: RenderPage[] = [];
  const boxes: PageBoxes[] = [];
  const roles = await rolesOf(env, render);
  for (const entry of entries) {
    const { reading, error } = await readStored(env.BUCKET, job, entry);
    const image = reading && (await readImage(env.BUCKET, job, entry, new Headers()));
    if (!image || !("body" in image)) {
      await fail(env, context, render, job.error ?? error);
      return;
    }
    const bytes = new Uint8Array(await image.arrayBuffer());
    const place = `${render.id}/page/${entry.page}`;
    const { id: fileId } = await keepDocument(env, context, place, bytes, "image/png");
    const { width, height } = reading;
    const onPage: PageBoxes = {};
    for (const { message, bbox } of reading.blocks)
      if (message !== undefined) onPage[message] = [...(onPage[message] ?? []), bbox];
    pages.push({
      fileId,
      width,
      height,
      tokens: form.tokens(width, height),
      detail: form.detail,
      messages: Object.keys(onPage).map((number) => ({
        number: Number(number),
        role: roles.get(Number(number)) ?? "user",
      })),
    });
    boxes.push(onPage);
  }
  if (pages.length === 0) {
    await fail(env, context, render, job.error);
    return;
  }
  await eraseSource(env, context, render);
  const labels = pageLabels({ ...segment, pages }).join("\n");
  Object.assign(render, {
    job: null,
    pages,
    tokens: pages.reduce((sum, { tokens }) => sum + tokens, textTokens(render, labels)),
    state: context.reader === null ? "ready" : "checking",
  });
  await saveRender(env.DB, render, boxes);
}

async function rolesOf(env: Env, { segmentId }: Render): Promise<Map<number, string>> {
  const messages = await messagesOfSegment(env.DB, segmentId);
  return new Map(messages.map(({ number, role }) => [number, role]));
}

/** Has the pages read, and compares what was read with the texts. */
async function check(
  env: Env,
  context: Context,
  segment: Segment,
  render: Render,
): Promise<string[]> {
  const { reader } = context;
  const texts = await readSegmentTexts(env.BUCKET, context, segment);
  if (reader === null) return finish(env, render, null, []);
  if (texts.size === 0) return fail(env, context, render, NOT_CHECKED);
  const jobs: Job[] = [];
  const waiting: string[] = [];
  for (const { fileId } of render.pages) {
    const job = await readingOf(env, context, fileId, reader, render.form);
    if (job && isOver(job.state)) jobs.push(job);
    else if (job) waiting.push(job.id);
  }
  if (waiting.length > 0) return waiting;
  const whole = await findRender(env.DB, context.id, render.id);
  const read = await readMessages(env, jobs, whole?.boxes ?? []);
  if (jobs.length < render.pages.length || read === null)
    return fail(env, context, render, NOT_CHECKED);
  const { precision, sidecar } = compare(texts, read);
  return finish(env, render, precision, sidecar);
}

/** The reading of a page by a model, which is started if there is none. One that has failed is not repeated. */
async function readingOf(
  env: Env,
  context: Context,
  fileId: string,
  model: string,
  form: string,
): Promise<Job | null> {
  const known = await lastJobOf(env.DB, fileId, model, true);
  if (known) return findJobById(env.DB, known);
  const file = await fileById(env.DB, context.tenantId, fileId);
  if (!file) return null;
  const id = newId("job", Date.now());
  const options = readingOptions(model, modeFor(model, form));
  await startJob(env, file, { id, keyId: context.keyId, options, background: true });
  return findJobById(env.DB, id);
}

/** The mode in which a reader with modes sees a page as large as it is: forms of DeepSeek-OCR begin with its name. */
export const modeFor = (model: string, form: string) =>
  readerOf(model).modes.find((mode) => form === mode || form.startsWith(`${mode}-`)) ?? "auto";

/** What was read of each message; `null` if a page could not be read. */
async function readMessages(
  env: Env,
  jobs: Job[],
  boxes: PageBoxes[],
): Promise<Map<number, string> | null> {
  const read = new Map<number, string>();
  for (const [i, job] of jobs.entries()) {
    const [page] = await jobPages(env.DB, job.id);
    const reading = page ? (await readStored(env.BUCKET, job, page)).reading : null;
    if (!reading) return null;
    for (const [number, places] of Object.entries(boxes[i] ?? {})) {
      const text = textInBoxes(reading.blocks, places);
      const before = read.get(Number(number));
      read.set(Number(number), before === undefined ? text : `${before}\n${text}`);
    }
  }
  return read;
}

function compare(
  texts: Map<number, ChatMessage>,
  read: Map<number, string>,
): { precision: number; sidecar: string[] } {
  let characters = 0;
  let wrong = 0;
  const terms = new Set<string>();
  for (const [number, content] of texts) {
    const text = messageText(content);
    const seen = read.get(number) ?? "";
    const measured = fidelity(seen, text);
    if (measured.cer !== null) {
      characters += measured.characters;
      wrong += measured.cer * measured.characters;
    }
    for (const term of unread(text, seen)) terms.add(term);
  }
  const precision = characters === 0 ? 1 : Math.max(0, 1 - wrong / characters);
  const sidecar = [...terms];
  return sidecar.length > MAX_SIDECAR
    ? { precision: Math.min(precision, ENOUGH - 0.01), sidecar: sidecar.slice(0, MAX_SIDECAR) }
    : { precision, sidecar };
}

async function finish(
  env: Env,
  render: Render,
  precision: number | null,
  sidecar: string[],
): Promise<string[]> {
  const tokens = render.tokens + textTokens(render, sidecarText(sidecar));
  Object.assign(render, { state: "ready", precision, sidecar, tokens });
  await saveRender(env.DB, render);
  return [];
}

/** Tokens of words that stand beside an image, in the tokens of its profile. */
function textTokens({ profile }: Render, words: string): number {
  const estimate = estimateTextTokens(words);
  return findProfile(profile)?.textTokens(estimate) ?? estimate;
}

const NOT_MADE: PageError = {
  code: "not_rendered",
  message: "A page image could not be made.",
};
const NOT_CHECKED: PageError = {
  code: "not_checked",
  message: "The reader could not read a page image, so it is not shown.",
};

async function fail(
  env: Env,
  context: Context,
  render: Render,
  error: PageError | null,
): Promise<string[]> {
  await eraseSource(env, context, render);
  await erasePages(env, context, render);
  Object.assign(render, { state: "failed", job: null, pages: [], error: error ?? NOT_MADE });
  await saveRender(env.DB, render);
  return [];
}

async function eraseSource(env: Env, context: Context, { job }: Render): Promise<void> {
  if (!job) return;
  const file = await fileById(env.DB, context.tenantId, job.fileId);
  if (file) await deleteDocument(env, file);
  await deleteJob(env.DB, job.jobId);
}

/** Erases the pages of a render, everything read from them, and its record. */
export async function eraseRender(env: Env, context: Context, render: Render): Promise<void> {
  await eraseSource(env, context, render);
  await erasePages(env, context, render);
  await deleteRender(env.DB, render.id);
}

async function erasePages(env: Env, context: Context, { pages }: Render): Promise<void> {
  for (const { fileId } of pages) {
    const file: StoredFile | null = await fileById(env.DB, context.tenantId, fileId);
    if (file) await deleteDocument(env, file);
  }
}
