/** Recall: the text of a message, from its original or read from its image. */
import type { Env } from "../bindings.ts";
import type { Caller } from "../context.ts";
import { sha256 } from "../domain/encoding.ts";
import { newId } from "../domain/ids.ts";
import { isOver } from "../domain/jobs/job.ts";
import type { Quota } from "../domain/keys/stored-key.ts";
import { type Fidelity, fidelity, normalise } from "../domain/memory/fidelity.ts";
import { findMessage } from "../domain/memory/memory-document.ts";
import { reader } from "../domain/pages/models.ts";
import type { PageError, VERDICTS } from "../domain/pages/page-result.ts";
import { admitPages, NOT_LIMITED, refused } from "../jobs/admit.ts";
import { startJob } from "../jobs/create.ts";
import { Problem } from "../problem.ts";
import { settings } from "../settings.ts";
import {
  type Context,
  contents,
  findItem,
  type Item,
  type Message,
  readTexts,
  saveRecall,
} from "../storage/contexts.ts";
import { pageFile } from "../storage/files.ts";
import { findJobById, jobPages, lastJobOf } from "../storage/jobs.ts";
import { readEntry } from "../storage/results.ts";
import { RENDERER } from "./age.ts";
import { readingOptions } from "./documents.ts";
import { jobsOver } from "./wait.ts";

export interface Recalled {
  text: string;
  /** `pages`: the message was not found on its pages, and `text` is all of their text. */
  scope: "message" | "pages";
  verdict: (typeof VERDICTS)[number];
  model: string;
  digest: string;
  /** Compared with the original, if the context keeps it. */
  measured: Fidelity | null;
  /** Whether the words equal the original's. */
  verified: boolean;
}

/** The original text of a message and the image that contains it, if any; or what became of reading that image. */
export type Recollection =
  | { state: "text"; item: Item | null; text: string | null }
  | { state: "reading"; item: Item; jobs: string[] }
  | { state: "recalled"; item: Item; jobs: string[]; recalled: Recalled };

/**
 * Recalls a message for a client: its original where the context still has it, else what a model reads in its image.
 * @param source `image`: reads the image even if the original exists
 * @param model the reader; the default model if left out
 * @param waitMs how long to wait for the reading
 * @throws Problem `unknown-model`, `unsupported-option`, `document-unread`, or one of `ADMISSION`
 */
export async function recallMessage(
  env: Env,
  caller: Caller,
  context: Context,
  message: Message,
  {
    model,
    source = "auto",
    waitMs,
  }: { model?: string | undefined; source?: "auto" | "image"; waitMs: number },
): Promise<Recollection> {
  const { MODELS, DEFAULT_MODEL } = settings(env);
  const by = model ?? DEFAULT_MODEL;
  if (!MODELS.includes(by))
    throw new Problem("unknown-model", `Choose one of ${MODELS.join(", ")}.`);
  if (by === RENDERER)
    throw new Problem("unsupported-option", `${by} makes images and cannot read them.`);
  const item = message.itemId === null ? null : await findItem(env.DB, context.id, message.itemId);
  const wantsOriginal = !item || (source === "auto" && !message.erased);
  const originals = wantsOriginal ? await readTexts(env.BUCKET, context, [message.number]) : null;
  const text = originals?.get(message.number) ?? null;
  if (!item || text !== null) return { state: "text", item, text };
  const jobs = await startRecall(env, context, message, item, {
    keyId: caller.keyId,
    quota: caller.quota,
    model: by,
    admit: () => admitPages(env, caller, by, 1),
  });
  await jobsOver(env, caller.tenantId, jobs, Date.now() + waitMs);
  const recalled = await endRecall(env, context, message, item, jobs);
  if (recalled === null) return { state: "reading", item, jobs };
  if ("error" in recalled)
    throw new Problem("document-unread", `${recalled.error.code}: ${recalled.error.message}`);
  return { state: "recalled", item, jobs, recalled };
}

const WORST = ["ok", "blank", "suspect", "unreadable", "failed"] as const;

/**
 * Starts a job for each page of a message that the model has not read.
 * @param admit called once, before the first job is started; throws if the caller may not start one
 * @returns the jobs of the message's pages, old and new
 */
export async function startRecall(
  env: Env,
  context: Context,
  message: Message,
  item: Item,
  by: { keyId: string; quota: Quota; model: string; admit: () => Promise<void> },
): Promise<string[]> {
  const jobs: string[] = [];
  let admitted = false;
  for (const { fileId, first, last } of item.pages) {
    if (message.number < first || message.number > last) continue;
    const known = await lastJobOf(env.DB, fileId, by.model);
    if (known) {
      jobs.push(known);
      continue;
    }
    const file = await pageFile(env.DB, context.id, fileId);
    if (!file) continue;
    if (!admitted) await by.admit();
    // The key's limits hold for the message, so for its first page.
    const allowance = admitted ? NOT_LIMITED : { ...NOT_LIMITED, ...by.quota };
    admitted = true;
    const id = newId("job", Date.now());
    // A larger mode than that of the image would find no more in it.
    const mode = reader(by.model).modes.find((known) => known === item.form) ?? "auto";
    const options = readingOptions(by.model, mode);
    const started = await startJob(env, file, { id, keyId: by.keyId, allowance, options });
    if ("refusal" in started) throw refused(started, allowance);
    jobs.push(id);
  }
  return jobs;
}

/** Combines what the jobs have read. @returns an error if a page could not be read; `null` while a job is open */
export async function endRecall(
  env: Env,
  context: Context,
  message: Message,
  item: Item,
  jobIds: string[],
): Promise<Recalled | { error: PageError } | null> {
  const texts: string[] = [];
  const found = { model: "", digest: "", worst: 0 };
  for (const id of jobIds) {
    const job = await findJobById(env.DB, id);
    if (job && !isOver(job.state)) return null;
    const page = job && (await jobPages(env.DB, id))[0];
    if (!page) return { error: job?.error ?? GONE };
    const { result, error } = await readEntry(env.BUCKET, job, page);
    if (!result) return { error };
    texts.push(result.markdown);
    found.worst = Math.max(found.worst, WORST.indexOf(result.verdict));
    Object.assign(found, { model: result.model, digest: result.model_digest });
  }
  if (texts.length === 0) return { error: GONE };
  const { messages } = await contents(env.DB, context.id);
  const pages = item.pages.filter(
    ({ first, last }) => first <= message.number && message.number <= last,
  );
  const [from, to] = [pages[0]?.first ?? 0, pages.at(-1)?.last ?? 0];
  const there = messages.filter(
    ({ number, itemId }) => itemId === item.id && from <= number && number <= to,
  );
  const whole = texts.join("\n\n");
  const part = findMessage(whole, there, message.number);
  const text = part ?? whole.trim();
  const original = (await readTexts(env.BUCKET, context, [message.number])).get(message.number);
  const measured = original === undefined ? null : fidelity(text, original);
  const fingerprint = await sha256(normalise(text));
  const recalled: Recalled = {
    text,
    scope: part === null ? "pages" : "message",
    measured,
    verdict: WORST[found.worst] ?? "failed",
    model: found.model,
    digest: found.digest,
    verified: fingerprint === message.fingerprint,
  };
  await saveRecall(env.DB, context.id, message, {
    model: found.model,
    digest: found.digest,
    verdict: recalled.verdict,
    cer: measured?.cer ?? null,
    verified: recalled.verified,
    at: Date.now(),
  });
  return recalled;
}

const GONE: PageError = { code: "gone", message: "The image has faded meanwhile: ask again." };
