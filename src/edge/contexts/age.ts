/**
 * One step of ageing. It can be interrupted after any write and run again: an image is recorded in D1 before anything is
 * made for it, every document and job has a fixed place, and nothing is erased before its successor is stored and
 * recorded.
 */
import type { Env } from "../bindings.ts";
import { newId } from "../domain/ids.ts";
import { isOver } from "../domain/jobs/job.ts";
import { DOCUMENT_TOKENS, documentCost, planAgeing } from "../domain/memory/ageing.ts";
import { type Form, nextDue } from "../domain/memory/ladder.ts";
import { cutDocument, memoryDocument, messagesOnPages } from "../domain/memory/memory-document.ts";
import type { ImageMode } from "../domain/memory/vision-tokens.ts";
import { validTokens } from "../domain/memory/vision-tokens.ts";
import type { PageError } from "../domain/pages/page-result.ts";
import { startJob } from "../jobs/create.ts";
import { deleteDocument } from "../jobs/retention.ts";
import {
  beginItem,
  type Context,
  contents,
  deleteItem,
  dropItem,
  dueAtOf,
  endLease,
  eraseTexts,
  type Item,
  type ItemPage,
  landItem,
  type Message,
  markClean,
  markErased,
  readTexts,
  saveSources,
  takeLease,
} from "../storage/contexts.ts";
import { fileById } from "../storage/files.ts";
import { deleteJob, findJobById, jobPages } from "../storage/jobs.ts";
import { readEntry, readImage } from "../storage/results.ts";
import { keepDocument, readingOptions } from "./documents.ts";
import { memoriesOf, type Part, partsOf, partTokens } from "./memories.ts";

export const RENDERER = "fovea-render";

/** Longer than a step takes. */
export const LEASE_MS = 60_000;
/** The most images that one step starts, so that it stays within the subrequests of one invocation. */
const BEGIN_AT_ONCE = 8;
/** Delay of the next step after a failure. */
const RETRY_MS = 10 * 60_000;

/** A change that is due or has been started. */
export interface Change {
  first: number;
  last: number;
  from: Form;
  to: ImageMode;
  tokensBefore: number;
  /** Expected. The real cost of an image is counted when it is made. */
  tokensAfter: number;
}

/** The changes that are due at a time. Changes nothing. */
export async function whatIf(
  env: Env,
  context: Context,
  at: number,
): Promise<{ changes: Change[]; tokens: number; expected: number }> {
  const { messages, items } = await contents(env.DB, context.id);
  const parts = partsOf(messages, items);
  const { changes, expected } = due(context, parts, messages, items, at);
  const tokens = parts.reduce((sum, part) => sum + partTokens(part), 0);
  return { changes: changes.map(({ change }) => change), tokens, expected };
}

/**
 * Completes images whose jobs are over, and starts the changes that are due.
 * @param at the time for which changes are due: now, or a later time that a client asks for
 * @returns the jobs to wait for; `null` if somebody else is ageing the context
 */
export async function age(
  env: Env,
  context: Context,
  at: number,
): Promise<{ changes: Change[]; jobs: string[] } | null> {
  const { DB } = env;
  const seenDueAt = await dueAtOf(DB, context.id);
  if (!(await takeLease(DB, context.id, Date.now(), LEASE_MS, false))) return null;
  try {
    const { dueAt, error, changes, jobs } = await turn(env, context, at);
    await endLease(DB, context.id, seenDueAt, { dueAt, error, agedAt: Date.now() });
    return { changes, jobs };
  } catch (fault) {
    const error = {
      code: "internal_error",
      message: "Ageing was interrupted. It will be repeated.",
    };
    const dueAt = Date.now() + RETRY_MS;
    await endLease(DB, context.id, seenDueAt, { dueAt, error, agedAt: Date.now() });
    throw fault;
  }
}

async function turn(env: Env, context: Context, at: number) {
  const { DB } = env;
  let error: PageError | null = null;
  let state = await contents(DB, context.id);
  for (const item of state.items) {
    if (item.state === "making") error = (await make(env, context, item, state.messages)) ?? error;
    else if (item.sources.length > 0) await clean(env, context, item);
  }
  state = await contents(DB, context.id);
  await eraseUnused(env, context, state.messages, state.items);
  await eraseOldTexts(env, context, state.messages);
  const parts = partsOf(state.messages, state.items);
  // After a failure nothing new is started: it would fail for the same reason.
  const begun = error
    ? []
    : due(context, parts, state.messages, state.items, at).changes.slice(0, BEGIN_AT_ONCE);
  for (const { part, numbers, change } of begun) {
    const id = newId("item", Date.now());
    const item: Item = {
      id,
      form: change.to,
      state: "making",
      replaces: part.item?.id ?? null,
      sources: [],
      pages: [],
      createdAt: Date.now(),
    };
    await beginItem(DB, context.id, item, part.item ? [] : numbers);
  }
  if (begun.length > 0) state = await contents(DB, context.id);
  for (const item of state.items)
    if (item.state === "making" && item.sources.length === 0)
      await make(env, context, item, state.messages);
  if (begun.length > 0) state = await contents(DB, context.id);

  const jobs = state.items
    .filter((item) => item.state === "making")
    .flatMap(({ sources }) => sources.map(({ jobId }) => jobId));
  const now = Date.now();
  const dueAt = error
    ? now + RETRY_MS
    : state.items.some((item) => item.state === "making" || item.sources.length > 0)
      ? now
      : nextTurn(context, state.messages, state.items, now);
  return { dueAt, error, changes: begun.map(({ change }) => change), jobs };
}

interface Due {
  part: Part;
  numbers: number[];
  change: Change;
}

function due(context: Context, parts: Part[], messages: Message[], items: Item[], at: number) {
  const { ladder, tokenBudget } = context;
  const memories = memoriesOf(context, parts, messages, items, at);
  const plan = planAgeing(ladder, memories, tokenBudget);
  const formOf = (rung: number) => ladder.rungs[rung]?.form as ImageMode;
  const changes: Due[] = [
    ...plan.renders.map(({ indices, rung }): Due => {
      const going = indices.map((i) => parts[i] as Part);
      const numbers = going.flatMap((part) => part.messages.map(({ number }) => number));
      const before = going.reduce((sum, part) => sum + partTokens(part), 0);
      const change = { from: "text" as const, to: formOf(rung), tokensBefore: before };
      const tokensAfter = documentCost(change.to, before);
      return {
        part: going[0] as Part,
        numbers,
        change: { ...change, ...ends(numbers), tokensAfter },
      };
    }),
    ...plan.steps.map(({ index, rung }): Due => {
      const part = parts[index] as Part;
      const numbers = part.messages.map(({ number }) => number);
      const change = { from: part.item?.form as Form, to: formOf(rung), ...ends(numbers) };
      const [tokensBefore, tokensAfter] = [
        partTokens(part),
        (part.item?.pages ?? []).reduce(
          (sum, { width, height }) => sum + validTokens(width, height, change.to),
          0,
        ),
      ];
      return { part, numbers, change: { ...change, tokensBefore, tokensAfter } };
    }),
  ];
  return { changes, expected: Math.round(plan.tokens) };
}

const ends = (numbers: number[]) => ({
  first: numbers[0] as number,
  last: numbers.at(-1) as number,
});

/** When the next change, or the next text to be erased, is due by age alone. */
function nextTurn(context: Context, messages: Message[], items: Item[], now: number) {
  const memories = memoriesOf(context, partsOf(messages, items), messages, items, now);
  const waits = memories.flatMap((memory) => nextDue(context.ladder, memory) ?? []);
  const turns = [
    ...waits.map((seconds) => now + Math.ceil(seconds * 1000)),
    ...messages.flatMap((message) => eraseAt(context, message) ?? []),
  ];
  return turns.length > 0 ? turns.reduce((a, b) => Math.min(a, b)) : null;
}

/** Advances an image: stores its documents, starts their jobs, or completes it. @returns why it was dropped, if it was */
async function make(
  env: Env,
  context: Context,
  item: Item,
  messages: Message[],
): Promise<PageError | null> {
  if (item.sources.length === 0) {
    const documents = await documentsFor(env, context, item, messages);
    if (documents.length === 0) {
      await dropItem(env.DB, context.id, item.id);
      return null;
    }
    item.sources = documents.map((fileId) => ({ fileId, jobId: newId("job", Date.now()) }));
    await saveSources(env.DB, item);
  }
  const options = readingOptions(RENDERER, item.form);
  let over = true;
  for (const { fileId, jobId } of item.sources) {
    const job = await findJobById(env.DB, jobId);
    if (job && isOver(job.state)) continue;
    over = false;
    const file = await fileById(env.DB, context.tenantId, fileId);
    const spec = { id: jobId, keyId: context.keyId, options, background: true };
    if (!job && file) await startJob(env, file, spec);
  }
  return over ? land(env, context, item, messages) : null;
}

/** The documents that an image is made from: its messages' texts, or the pages of the image that it replaces. */
async function documentsFor(
  env: Env,
  context: Context,
  item: Item,
  messages: Message[],
): Promise<string[]> {
  if (item.replaces !== null) {
    const { items } = await contents(env.DB, context.id);
    return items.find(({ id }) => id === item.replaces)?.pages.map(({ fileId }) => fileId) ?? [];
  }
  const own = messages.filter(({ nextItemId }) => nextItemId === item.id);
  if (own.length === 0) return [];
  const numbers = own.map(({ number }) => number);
  const texts = await readTexts(env.BUCKET, context, numbers);
  const text = memoryDocument(
    own.map(({ number, role }) => ({ number, role, content: texts.get(number) ?? "" })),
  );
  const files: string[] = [];
  for (const [i, part] of cutDocument(text, DOCUMENT_TOKENS).entries()) {
    const bytes = new TextEncoder().encode(part) as Uint8Array<ArrayBuffer>;
    const file = await keepDocument(env, context, `${item.id}/text/${i}`, bytes, "text/markdown");
    files.push(file.id);
  }
  return files;
}

/** Makes the pages of the finished jobs the pages of the image. */
async function land(
  env: Env,
  context: Context,
  item: Item,
  messages: Message[],
): Promise<PageError | null> {
  const made: { page: ItemPage; text: string }[] = [];
  const before = item.replaces
    ? ((await contents(env.DB, context.id)).items.find(({ id }) => id === item.replaces)?.pages ??
      [])
    : [];
  for (const [i, { fileId, jobId }] of item.sources.entries()) {
    const job = await findJobById(env.DB, jobId);
    if (!job) return failItem(env, context, item, null);
    const pages = await jobPages(env.DB, jobId);
    for (const page of pages) {
      const { result, error } = await readEntry(env.BUCKET, job, page);
      const image = result && (await readImage(env.BUCKET, job, page, new Headers()));
      if (!image || !("body" in image)) return failItem(env, context, item, job.error ?? error);
      const bytes = new Uint8Array(await image.arrayBuffer());
      const place = `${item.id}/page/${i}/${page.page}`;
      const file = await keepDocument(env, context, place, bytes, "image/png");
      const old = before.find((page) => page.fileId === fileId);
      made.push({
        text: result.markdown,
        page: {
          fileId: file.id,
          width: result.width,
          height: result.height,
          tokens: result.vision_tokens?.valid ?? 0,
          textTokens: old?.textTokens ?? result.text_tokens ?? 0,
          first: old?.first ?? 0,
          last: old?.last ?? 0,
        },
      });
    }
    if (pages.length === 0) return failItem(env, context, item, job.error);
  }
  if (item.replaces === null) {
    const own = messages.filter(({ nextItemId }) => nextItemId === item.id);
    const places = messagesOnPages(
      made.map(({ text }) => text),
      own,
    );
    for (const [i, { page }] of made.entries()) Object.assign(page, places[i]);
  }
  const pages = made.map(({ page }) => page);
  await landItem(env.DB, context.id, item, pages);
  const landed = messages.map((message) =>
    message.nextItemId === item.id || (item.replaces && message.itemId === item.replaces)
      ? { ...message, itemId: item.id, nextItemId: null }
      : message,
  );
  await clean(env, context, item);
  await eraseOldTexts(env, context, landed);
  return null;
}

/** Erases the documents and jobs that a finished image was made from. */
async function clean(env: Env, context: Context, item: Item): Promise<void> {
  for (const { fileId, jobId } of item.sources) {
    const file = await fileById(env.DB, context.tenantId, fileId);
    if (file) await deleteDocument(env, file);
    await deleteJob(env.DB, jobId);
  }
  await markClean(env.DB, item.id);
}

/** When the text of a message is to be erased; `null`: never, or it already is. */
const eraseAt = ({ eraseAfter }: Context, { itemId, erased, createdAt }: Message) =>
  eraseAfter === null || itemId === null || erased ? null : createdAt + eraseAfter * 1000;

/** Erases the texts that the context no longer keeps. */
async function eraseOldTexts(env: Env, context: Context, messages: Message[]): Promise<void> {
  const now = Date.now();
  const numbers = messages
    .filter((message) => (eraseAt(context, message) ?? Number.POSITIVE_INFINITY) <= now)
    .map(({ number }) => number);
  if (numbers.length === 0) return;
  await eraseTexts(env.BUCKET, context, numbers);
  await markErased(env.DB, context.id, numbers);
}

/** Erases the images that no message is in any more. */
export async function eraseUnused(
  env: Env,
  context: Context,
  messages: Message[],
  items: Item[],
): Promise<void> {
  const used = new Set(messages.map(({ itemId }) => itemId));
  for (const item of items.filter(({ id, state }) => state === "ready" && !used.has(id))) {
    for (const { fileId } of [...item.pages, ...item.sources]) {
      const file = await fileById(env.DB, context.tenantId, fileId);
      if (file) await deleteDocument(env, file);
    }
    for (const { jobId } of item.sources) await deleteJob(env.DB, jobId);
    await deleteItem(env.DB, item.id);
  }
}

/** Drops an image and keeps what it was to replace: if that is an image, the source documents are its pages. */
async function failItem(
  env: Env,
  context: Context,
  item: Item,
  error: PageError | null,
): Promise<PageError> {
  for (const { fileId, jobId } of item.sources) {
    const file = await fileById(env.DB, context.tenantId, fileId);
    if (file && item.replaces === null) await deleteDocument(env, file);
    await deleteJob(env.DB, jobId);
  }
  await dropItem(env.DB, context.id, item.id);
  return error ?? { code: "not_rendered", message: "A page image could not be made." };
}
