/** The pages of a job, as they are stored: from its bundle with one read, or each for itself. */
import type { Env } from "../bindings.ts";
import { parsePageSelection, resolvePages } from "../domain/pages/page-selection.ts";
import { Problem } from "../problem.ts";
import {
  bundleName,
  openBundle,
  openPlain,
  type PlainPages,
  recordBundle,
  rememberBundle,
} from "../storage/bundles.ts";
import { type Job, type JobPage, jobPages } from "../storage/jobs.ts";
import { readAllStored, type StoredEntry } from "../storage/results.ts";
import { bundleJob, bundleSoon, isBundled } from "./bundle.ts";

export interface StoredResult {
  /** Whether the pages come from the bundle: they are always the same then. */
  isBundle: boolean;
  entries: AsyncIterable<StoredEntry>;
}

/**
 * Opens the selected pages of a job, whose document exists.
 * @param selection `""` for all pages
 * @throws Problem `job-not-finished`, `invalid-page-selection` or `gone`
 */
export async function openResult(env: Env, job: Job, selection: string): Promise<StoredResult> {
  const choose =
    selection.trim() === "" ? undefined : (pages: number[]) => chosen(pages, selection);
  const bundle = job.bundle ? await openBundle(env.BUCKET, job, job.bundle, choose) : null;
  if (bundle) return { isBundle: true, entries: bundle };
  const pages = await jobPages(env.DB, job.id);
  if (isBundled(job) && job.bundle !== "") bundleSoon(bundleJob(env, job, pages), job.id);
  const entries = readAllStored(env.BUCKET, job, selectPages(job, pages, selection));
  // The first page is read before the response begins, while its status can still be set.
  const first = await entries.next();
  if (first.value?.error?.code === "gone") throw new Problem("gone", "The file was deleted.");
  return { isBundle: false, entries: startingWith(first, entries) };
}

async function* startingWith<T>(first: IteratorResult<T>, rest: AsyncIterable<T>) {
  if (first.done) return;
  yield first.value;
  yield* rest;
}

/**
 * All pages of an ended job, whose document exists: from its bundle, or each for itself.
 * @param pages all pages of the job
 */
export const wholeResult = async (
  env: Env,
  job: Job,
  pages: JobPage[],
): Promise<AsyncIterable<StoredEntry>> =>
  (await fromBundle(env, job, pages, openBundle)) ?? readAllStored(env.BUCKET, job, pages);

/** All pages of an ended job, whose document exists, in the plain form; `null` if they are not bundled. */
export const plainResult = (env: Env, job: Job, pages: JobPage[]) =>
  fromBundle(env, job, pages, openPlain);

/** The same for a job whose bundle is recorded. If it has no plain form yet, that is made after the response. */
export async function recordedPlain(env: Env, job: Job): Promise<PlainPages | null> {
  if (!job.bundle) return null;
  const plain = await openPlain(env.BUCKET, job, job.bundle);
  const make = async () => bundleJob(env, job, await jobPages(env.DB, job.id));
  if (!plain) bundleSoon(make(), job.id);
  return plain;
}

/**
 * Opens the bundle of an ended job. A job that has just got all its pages from the cache shares the bundle of a job with
 * the same readings; if there is none, it is made after the response.
 */
async function fromBundle<T>(
  env: Env,
  job: Job,
  pages: JobPage[],
  open: (bucket: R2Bucket, job: Job, name: string) => Promise<T | null>,
): Promise<T | null> {
  if (!isBundled(job)) return null;
  const name = job.bundle ?? (await bundleName(pages));
  const bundle = name ? await open(env.BUCKET, job, name) : null;
  if (name && bundle) {
    rememberBundle(pages, name);
    if (!job.bundle) bundleSoon(recordBundle(env.DB, env.BUCKET, job, name), job.id);
  } else if (job.bundle !== "") bundleSoon(bundleJob(env, job, pages), job.id);
  return bundle;
}

/** @throws Problem as `openResult` */
export function selectPages(job: Job, pages: JobPage[], selection: string): JobPage[] {
  const wanted = new Set(
    chosen(
      pages.map(({ page }) => page),
      selection,
    ),
  );
  const selected = pages.filter(({ page }) => wanted.has(page));
  const pending = selected.filter(({ state }) => state === "pending").map(({ page }) => page);
  if (pending.length > 0 || (!job.planned && selection === "" && job.finishedAt === null))
    throw new Problem(
      "job-not-finished",
      `The job is ${job.state}; ${pending.length} of the requested pages have not been read yet.`,
      { pending_pages: pending.slice(0, 100) },
      { "retry-after": "2" },
    );
  return selected;
}

function chosen(pages: number[], text: string): number[] {
  const selection = parsePageSelection(text);
  if (typeof selection === "string") throw new Problem("invalid-page-selection", selection);
  const wanted = new Set(resolvePages(selection, pages.at(-1) ?? 0).pages);
  const found = pages.filter((page) => wanted.has(page));
  if (found.length === 0)
    throw new Problem("invalid-page-selection", "The job does not have any of these pages.");
  return found;
}
