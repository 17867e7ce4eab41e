/** From a job to shards: which pages it still needs, who reads them, and what is started for that. */
import type { Env } from "../bindings.ts";
import { newId } from "../domain/ids.ts";
import { pageKey } from "../domain/pages/page-key.ts";
import { cutShards, firstPage, resolvePages } from "../domain/pages/page-selection.ts";
import { settings } from "../settings.ts";
import { wakeShard } from "../signals/wake-shard.ts";
import { fileById, pageCountOf, type StoredFile } from "../storage/files.ts";
import { type Job, uncountedJobs } from "../storage/jobs.ts";
import {
  claimProbe,
  countUncached,
  digestName,
  planJob,
  type WantedPage,
} from "../storage/reading.ts";
import { insertShards, promoteShards } from "../storage/shards.ts";

/**
 * Plans a job, or what is still unplanned of it. While nobody has counted the document's pages, only
 * its first selected page is wanted: the worker that opens the document counts them, and the rest is
 * planned then.
 */
export async function plan(
  env: Env,
  job: Job,
  file: StoredFile,
  before: D1PreparedStatement[] = [],
): Promise<void> {
  const { pages, beyond, counted } = await wantedPages(job, file);
  const reader = digestName(job.options.model, file.mediaType);
  const claimed = await planJob(
    env.DB,
    { id: job.id, reader, cache: job.cache },
    pages,
    beyond,
    counted,
    Date.now(),
    before,
  );
  await startShards(env, job, claimed);
  if (!job.batchId && claimed.length < pages.length) {
    for (const shard of await promoteShards(env.DB, job.id)) await wakeShard(env, shard);
  }
}

/**
 * A job whose document nobody has counted, although its first page was read, or given up: the worker's
 * word about the document was lost. Its first page is read once more, and counts for nothing but that.
 */
async function probeAgain(env: Env, job: Job, file: StoredFile): Promise<void> {
  const { pages } = await wantedPages(job, file);
  await startShards(env, job, await claimProbe(env.DB, job.id, pages, Date.now()));
}

/** Sees to documents that jobs wait for and that nobody has counted: those that were made before `before`. */
export async function probeUncounted(env: Env, before: number, fileId?: string): Promise<void> {
  for (const job of await uncountedJobs(env.DB, before, fileId)) {
    const file = await fileById(env.DB, job.tenantId, job.fileId);
    if (file) await probeAgain(env, job, file);
  }
}

/** How many of the selected pages the cache cannot answer for. A document with uncounted pages was never read. */
export async function uncached(env: Env, job: Job, file: StoredFile): Promise<number> {
  const { pages, counted } = await wantedPages(job, file);
  if (!counted) return 1;
  return countUncached(env.DB, digestName(job.options.model, file.mediaType), pages);
}

/** How many pages of the document a job selects; 1 while they are not counted. */
export function selectedPages(job: Job, file: StoredFile): number {
  const count = pageCountOf(file, job.options.mode);
  return count === null ? 1 : resolvePages(job.selection, count).pages.length;
}

async function wantedPages(job: Job, file: StoredFile) {
  const count = pageCountOf(file, job.options.mode);
  const { pages, beyond } =
    count === null
      ? { pages: [firstPage(job.selection)], beyond: [] }
      : resolvePages(job.selection, count);
  const keyed = (numbers: number[]) =>
    Promise.all(
      numbers.map(async (page) => ({
        page,
        pageKey: await pageKey(job.tenantId, file.sha256, job.options, page),
      })),
    );
  return { pages: await keyed(pages), beyond: await keyed(beyond), counted: count !== null };
}

/** What `createBatch` takes at most. */
const CREATE_AT_ONCE = 100;

/**
 * Cuts claimed pages into shards and starts a driver for each. A batch gives its pages away one by one,
 * so that whoever comes meanwhile waits for the page in progress and for no other.
 */
export async function startShards(env: Env, job: Job, claimed: WantedPage[]): Promise<void> {
  if (claimed.length === 0) return;
  const byPage = new Map(claimed.map((wanted) => [wanted.page, wanted]));
  const now = Date.now();
  const size = job.batchId ? 1 : settings(env).SHARD_PAGES;
  const shards = cutShards([...byPage.keys()], size).map((pages) => ({
    id: newId("shard", now),
    pages: pages.map((page) => byPage.get(page) as WantedPage),
  }));
  await insertShards(env.DB, shards, job, now);
  for (let i = 0; i < shards.length; i += CREATE_AT_ONCE)
    await env.SHARDS.createBatch(
      shards.slice(i, i + CREATE_AT_ONCE).map(({ id }) => ({ id, params: { shardId: id } })),
    );
}
