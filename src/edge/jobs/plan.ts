/** Planning: which pages a job still needs, which of them it reads itself, and the shards that are started for those. */
import type { Env } from "../bindings.ts";
import { schedulerOf } from "../dispatch/scheduler.ts";
import { isText } from "../domain/documents/media-type.ts";
import { newId } from "../domain/ids.ts";
import { SEQUENCE_PAGES } from "../domain/pages/models.ts";
import { pageKey, type WantedPage } from "../domain/pages/page-key.ts";
import { cutShards, firstPage, resolvePages, shardSize } from "../domain/pages/page-selection.ts";
import { settings } from "../settings.ts";
import { wakeShard } from "../signals/wake-shard.ts";
import { probableBundle } from "../storage/bundles.ts";
import { createCachedJob } from "../storage/cached-jobs.ts";
import { fileById, pageCountOf, type StoredFile } from "../storage/files.ts";
import { rememberFinished } from "../storage/finished-jobs.ts";
import { findJobById, type Job } from "../storage/jobs.ts";
import { Memory, RECORDS_BYTES } from "../storage/memory.ts";
import { digestName } from "../storage/models.ts";
import type { Allowance, Refused } from "../storage/new-jobs.ts";
import {
  claimAgain,
  createPlannedJob,
  type Plan,
  type Planned,
  type PlannedJob,
  planJob,
} from "../storage/planning.ts";
import { insertShards, type Shard } from "../storage/shards.ts";
import { halfPlannedJobs, pagesWithoutFlights, uncountedJobs } from "../storage/unfinished-jobs.ts";
import { willBeBundled } from "./bundle.ts";

/** Which pages of a document a job reads, and how. */
type Wanted = Pick<Job, "options" | "selection">;

/**
 * Inserts a job and plans it. Until the document's pages are counted, only the first selected page is planned: the
 * worker that opens the document reports their number, and then the rest is planned. If the pages are read together,
 * that first page is not read alone but with the others, unless there are none.
 * @param also statements for the same transaction. They run even if the job is refused
 * @returns the job, or why it was refused
 */
export async function planNew(
  env: Env,
  job: Job,
  file: StoredFile,
  allowance: Allowance,
  also: D1PreparedStatement[],
): Promise<PlannedJob | Refused> {
  const wanted = await planOf(job, file);
  // A document whose pages are not counted was never read.
  if (!wanted.planned && allowance.uncached === 0) return { refusal: "uncached", uncached: 1 };
  if (wanted.planned && wanted.beyond.length === 0 && job.cache !== "refresh") {
    const bundle = willBeBundled(job) ? probableBundle(wanted.wanted) : null;
    const now = Date.now();
    const cached = await createCachedJob(env.DB, job, allowance, wanted, bundle, also, now);
    if ("job" in cached) rememberFinished(cached.job, now);
    const isMiss = "refusal" in cached && cached.refusal === "uncached";
    if (!isMiss || allowance.uncached === 0) return cached;
  }
  const created = await createPlannedJob(env.DB, job, allowance, wanted, also, Date.now());
  if ("refusal" in created) return created;
  await read(env, job, file, created);
  if (wanted.planned) return created;
  // A worker may have counted the pages, and planned the jobs that it found, since the file was looked up.
  const current = await fileById(env.DB, file.tenantId, file.id);
  const isCounted = current && pageCountOf(current, job.options.mode) !== null;
  return (isCounted && (await plan(env, job, current))) || created;
}

/** Plans the rest of a job whose document has been counted. @returns `null` if the job does not exist */
export async function plan(env: Env, job: Job, file: StoredFile): Promise<PlannedJob | null> {
  const wanted = await planOf(job, file);
  const planned = await planJob(env.DB, wanted, await probeOf(job, file, wanted), Date.now());
  if (planned) await read(env, job, file, planned);
  return planned;
}

async function planOf(job: Job, file: StoredFile): Promise<Plan> {
  const { pages, beyond, counted } = await wantedPages(job, file);
  const reader = digestName(job.options.model, file.mediaType);
  const { id: jobId, cache } = job;
  return { jobId, reader, cache, wanted: pages, beyond, planned: counted };
}

/** Has the claimed pages read, and the shared ones no later than the job's priority demands. */
async function read(
  env: Env,
  job: Job,
  file: StoredFile,
  { claimed, promoted, idle }: Planned,
): Promise<void> {
  for (const shard of idle) {
    await schedulerOf(env).unneeded(shard);
    await wakeShard(env, shard);
  }
  await startShards(env, job, file, claimed);
  for (const shard of promoted) await wakeShard(env, shard);
}

/** Resumes jobs from before `before` whose planning was interrupted, or that wait for pages that nobody reads. */
export async function resumePlanning(env: Env, before: number): Promise<void> {
  for (const job of await halfPlannedJobs(env.DB, before)) {
    const file = await fileById(env.DB, job.tenantId, job.fileId);
    if (file && pageCountOf(file, job.options.mode) !== null) await plan(env, job, file);
  }
  const left = Map.groupBy(await pagesWithoutFlights(env.DB, before), ({ jobId }) => jobId);
  for (const [jobId, pages] of left) {
    const job = await findJobById(env.DB, jobId);
    const file = job && (await fileById(env.DB, job.tenantId, job.fileId));
    if (file) await startShards(env, job, file, await claimAgain(env.DB, jobId, pages, Date.now()));
  }
}

/**
 * Reads the first page of a job again, only to have the document's pages counted: the worker's report about the
 * document was lost.
 */
async function probeAgain(env: Env, job: Job, file: StoredFile): Promise<void> {
  const { pages } = await wantedPages(job, file);
  await startShards(env, job, file, await claimAgain(env.DB, job.id, pages, Date.now()));
}

/** Probes the documents of jobs from before `before` whose pages are not counted and that no worker has open. */
export async function probeUncounted(env: Env, before: number, fileId?: string): Promise<void> {
  for (const job of await uncountedJobs(env.DB, before, fileId)) {
    const file = await fileById(env.DB, job.tenantId, job.fileId);
    if (file) await probeAgain(env, job, file);
  }
}

/**
 * The key under which a job has waited for its first page while the pages were not counted, if that page is now read
 * with others under another key.
 */
async function probeOf(
  { options, selection }: Wanted,
  file: StoredFile,
  { planned, wanted }: Plan,
): Promise<string | null> {
  if (!options.sequence || !planned) return null;
  const probe = await pageKey(file.tenantId, file.sha256, options, firstPage(selection));
  return wanted.some(({ pageKey }) => pageKey === probe) ? null : probe;
}

/** How many pages of the document are selected; 1 while they are not counted. */
export function selectedPages({ options, selection }: Wanted, file: StoredFile): number {
  const count = pageCountOf(file, options.mode);
  return count === null ? 1 : resolvePages(selection, count).pages.length;
}

async function wantedPages({ options, selection }: Wanted, file: StoredFile) {
  const count = pageCountOf(file, options.mode);
  const about = JSON.stringify([file.tenantId, file.sha256, options, selection, count]);
  const known = keyed.find(about, Date.now());
  if (known) return known;
  const { pages, beyond } =
    count === null ? { pages: [firstPage(selection)], beyond: [] } : resolvePages(selection, count);
  const { tenantId, sha256 } = file;
  const keysOf = (sequences: number[][]) =>
    Promise.all(
      sequences.flatMap((together) =>
        together.map(async (page) => ({
          page,
          pageKey: await pageKey(tenantId, sha256, options, page, together),
        })),
      ),
    );
  const found = {
    pages: await keysOf(sequencesOf(options, pages)),
    beyond: await keysOf(beyond.map((page) => [page])),
    counted: count !== null,
  };
  const bytes = about.length + WANTED_BYTES * (pages.length + beyond.length);
  keyed.keep(about, found, bytes, Date.now());
  return found;
}

/** The page keys of repeated requests. */
const keyed = new Memory<{ pages: WantedPage[]; beyond: WantedPage[]; counted: boolean }>(
  3_600_000,
  RECORDS_BYTES,
);
/** What a page takes there, about. */
const WANTED_BYTES = 200;

/** The pages that are read in one sequence each. */
const sequencesOf = ({ sequence }: Wanted["options"], pages: number[]): number[][] =>
  cutShards(pages, sequence ? SEQUENCE_PAGES : 1);

/** The most that `createBatch` accepts. */
const CREATE_AT_ONCE = 100;

/**
 * Cuts claimed pages into shards and starts a driver for each. A sequence of pages is one shard. Otherwise, in the
 * background, a shard has one page, so that other jobs wait for at most the page in progress; only shards of long texts
 * have more.
 */
export async function startShards(
  env: Env,
  job: Job,
  file: StoredFile,
  claimed: WantedPage[],
): Promise<void> {
  if (claimed.length === 0) return;
  const now = Date.now();
  const shards = cutClaimed(env, job, file, claimed).map((shard) => ({
    id: newId("shard", now),
    ...shard,
  }));
  await insertShards(env.DB, shards, job, now);
  for (let i = 0; i < shards.length; i += CREATE_AT_ONCE)
    await env.SHARDS.createBatch(
      shards.slice(i, i + CREATE_AT_ONCE).map(({ id }) => ({ id, params: { shardId: id } })),
    );
}

function cutClaimed(
  env: Env,
  { options, selection, background }: Job,
  file: StoredFile,
  claimed: WantedPage[],
): Pick<Shard, "pages" | "together">[] {
  const byPage = new Map(claimed.map((wanted) => [wanted.page, wanted]));
  const found = (pages: number[]) => pages.flatMap((page) => byPage.get(page) ?? []);
  const count = pageCountOf(file, options.mode);
  if (options.sequence && count !== null)
    return sequencesOf(options, resolvePages(selection, count).pages)
      .map((together) => ({
        pages: found(together),
        together: together.length > 1 ? together : null,
      }))
      .filter(({ pages }) => pages.length > 0);
  const usual = background ? 1 : settings(env).SHARD_PAGES;
  const size = shardSize(usual, byPage.size, isText(file.mediaType));
  return cutShards([...byPage.keys()], size).map((pages) => ({
    pages: found(pages),
    together: null,
  }));
}
