/** Planning: which pages a job still needs, which of them it reads itself, and the shards that are started for those. */
import type { Env } from "../bindings.ts";
import { isText } from "../domain/documents/media-type.ts";
import { newId } from "../domain/ids.ts";
import { pageKey } from "../domain/pages/page-key.ts";
import { cutShards, firstPage, resolvePages, shardSize } from "../domain/pages/page-selection.ts";
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

/** Which pages of a document a job reads, and how. */
type Wanted = Pick<Job, "options" | "selection">;

/**
 * Plans a job, or the rest of it. Until the document's pages are counted, only the first selected page is planned: the
 * worker that opens the document reports their number, and then the rest is planned.
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
  await startShards(env, job, claimed, isText(file.mediaType));
  if (!job.background && claimed.length < pages.length) {
    for (const shard of await promoteShards(env.DB, job.id)) await wakeShard(env, shard);
  }
}

/**
 * Reads the first page of a job again, only to have the document's pages counted: the worker's report about the
 * document was lost.
 */
async function probeAgain(env: Env, job: Job, file: StoredFile): Promise<void> {
  const { pages } = await wantedPages(job, file);
  const claimed = await claimProbe(env.DB, job.id, pages, Date.now());
  await startShards(env, job, claimed, isText(file.mediaType));
}

/** Probes the documents of jobs from before `before` whose pages are not counted and that no worker has open. */
export async function probeUncounted(env: Env, before: number, fileId?: string): Promise<void> {
  for (const job of await uncountedJobs(env.DB, before, fileId)) {
    const file = await fileById(env.DB, job.tenantId, job.fileId);
    if (file) await probeAgain(env, job, file);
  }
}

/** How many of the selected pages are not in the cache; 1 for a document whose pages are not counted: it was never read. */
export async function uncached(env: Env, wanted: Wanted, file: StoredFile): Promise<number> {
  const { pages, counted } = await wantedPages(wanted, file);
  if (!counted) return 1;
  return countUncached(env.DB, digestName(wanted.options.model, file.mediaType), pages);
}

/** How many pages of the document are selected; 1 while they are not counted. */
export function selectedPages({ options, selection }: Wanted, file: StoredFile): number {
  const count = pageCountOf(file, options.mode);
  return count === null ? 1 : resolvePages(selection, count).pages.length;
}

async function wantedPages({ options, selection }: Wanted, file: StoredFile) {
  const count = pageCountOf(file, options.mode);
  const { pages, beyond } =
    count === null ? { pages: [firstPage(selection)], beyond: [] } : resolvePages(selection, count);
  const keyed = (numbers: number[]) =>
    Promise.all(
      numbers.map(async (page) => ({
        page,
        pageKey: await pageKey(file.tenantId, file.sha256, options, page),
      })),
    );
  return { pages: await keyed(pages), beyond: await keyed(beyond), counted: count !== null };
}

/** The most that `createBatch` accepts. */
const CREATE_AT_ONCE = 100;

/**
 * Cuts claimed pages into shards and starts a driver for each. In the background a shard has one page, so that other
 * jobs wait for at most the page in progress; only shards of long texts have more.
 */
export async function startShards(
  env: Env,
  job: Job,
  claimed: WantedPage[],
  text: boolean,
): Promise<void> {
  if (claimed.length === 0) return;
  const byPage = new Map(claimed.map((wanted) => [wanted.page, wanted]));
  const now = Date.now();
  const size = shardSize(job.background ? 1 : settings(env).SHARD_PAGES, byPage.size, text);
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
