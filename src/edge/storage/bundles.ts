/**
 * The pages of an ended job as one object, `results/{tenant}/{file}/bundles/{name}.jsonl`, so that a result of any
 * length is one read from R2 (docs/decisions/0035). A bundle is made from the stored pages and never changes; if it is
 * missing, the pages are still there.
 *
 * The object has a line of JSON for each page, in order, and a last line with the numbers of the pages and the lengths of
 * their lines in bytes: `{"lines":[[1,5120],[2,4987]]}`.
 *
 * Next to it, `{name}.json` has the pages as most answers have them: JSON in the plain form, joined by commas. An answer
 * in that form contains these bytes as they are.
 */
import { hex } from "../domain/encoding.ts";
import type { WantedPage } from "../domain/pages/page-key.ts";
import type { PageError, StoredPageResult, StoredReading } from "../domain/pages/page-result.ts";
import { hitsOf } from "./hits.ts";
import type { Job, JobPage } from "./jobs.ts";
import { Memory, RECORDS_BYTES } from "./memory.ts";
import { R2Stream } from "./r2-stream.ts";
import { NOT_READ, resultBytes, type StoredEntry } from "./results.ts";

/** Longer results are read page by page: an invocation may make a limited number of reads. */
export const MAX_BUNDLED_PAGES = 800;

/** The last line has at most 20 bytes for each page. */
const INDEX_BYTES = 20 * MAX_BUNDLED_PAGES;

/** Pages that are loaded at once. Workers open at most six connections at a time. */
const WINDOW = 6;

type Owner = Pick<Job, "tenantId" | "fileId">;

const path = ({ tenantId, fileId }: Owner, name: string, end: ".jsonl" | ".json") =>
  `results/${tenantId}/${fileId}/bundles/${name}${end}`;

/**
 * The name of a bundle is a hash of which readings it has, so jobs with the same readings share it.
 * @param pages all pages of an ended job, in order
 * @returns `null` if there is nothing to bundle: no page was read, a reading was deleted, or there are too many pages
 */
export async function bundleName(pages: JobPage[]): Promise<string | null> {
  const read = pages.filter(({ state }) => state === "done");
  if (read.length === 0 || pages.length > MAX_BUNDLED_PAGES) return null;
  if (read.some(({ readAt }) => readAt === null)) return null;
  const text = new TextEncoder().encode(`[1,${readingsOf(pages)}]`);
  return hex(await crypto.subtle.digest("SHA-256", text));
}

const readingsOf = (pages: JobPage[]) =>
  JSON.stringify(
    pages.map(({ page, state, pageKey, modelDigest, readAt, error }) =>
      state === "done" ? [page, pageKey, modelDigest, readAt] : [page, error],
    ),
  );

/** A bundle that has been used, and the hits of a job that has it. */
export interface KnownBundle {
  name: string;
  hits: string;
}

/** What was opened lately. Whoever uses it makes sure in the same request that the document exists. */
const KEPT_MS = 3_600_000;
const opened = new Memory<Uint8Array>(KEPT_MS);
const known = new Memory<KnownBundle>(KEPT_MS, RECORDS_BYTES);

/** Jobs with the same number of pages and the same first and last probably have the same bundle. */
const hint = (pages: WantedPage[]) =>
  `${pages.length} ${pages[0]?.pageKey} ${pages.at(-1)?.pageKey}`;

/** The bundle that a new job probably has: the insert of the job compares the hits. */
export const probableBundle = (wanted: WantedPage[]): KnownBundle | null =>
  known.find(hint(wanted), Date.now());

/** Remembers the bundle of a job for the next one with the same pages. */
export function rememberBundle(pages: JobPage[], name: string): void {
  const hits = hitsOf(pages);
  if (hits !== null) known.keep(hint(pages), { name, hits }, hits.length, Date.now());
}

/**
 * Writes a bundle, unless it exists. Memory holds a few pages. Nothing is visible until all is written, so it can be
 * interrupted and repeated.
 * @param plain a reading in the plain form
 * @param timeoutMs time for one write to R2
 * @returns false if a page's bytes were deleted; nothing is written then
 */
export async function writeBundle(
  bucket: R2Bucket,
  job: Job,
  name: string,
  pages: JobPage[],
  plain: PlainForm,
  timeoutMs: number,
): Promise<boolean> {
  const ends = [".jsonl", ".json"] as const;
  const there = await Promise.all(ends.map((end) => bucket.head(path(job, name, end))));
  if (there.every((object) => object !== null)) return true;
  const full = new R2Stream(bucket, path(job, name, ".jsonl"), "application/jsonl", timeoutMs);
  const inForm = new R2Stream(bucket, path(job, name, ".json"), "text/plain", timeoutMs);
  const lines: [page: number, bytes: number][] = [];
  const encoder = new TextEncoder();
  try {
    for (let i = 0; i < pages.length; i += WINDOW) {
      const window = pages.slice(i, i + WINDOW);
      const loaded = await Promise.all(window.map((page) => loadPage(bucket, job, page)));
      for (const [at, { page }] of window.entries()) {
        const found = loaded[at];
        if (!found) {
          await Promise.all([full.discard(), inForm.discard()]);
          return false;
        }
        const line = await lineOf(found);
        lines.push([page, line.byteLength]);
        await full.write(line);
        const shown = await plainText(found, plain);
        await inForm.write(encoder.encode((lines.length > 1 ? "," : "") + shown));
      }
    }
    await full.write(encoder.encode(`${JSON.stringify({ lines })}\n`));
    await full.end();
    await inForm.end();
    return true;
  } catch (error) {
    await Promise.all([full.discard(), inForm.discard()]);
    throw error;
  }
}

/** Makes the plain form of a reading. */
export type PlainForm = (reading: StoredReading) => Promise<StoredPageResult>;

/** A page of a bundle. */
type Line =
  | { page: number; page_key: string; reading: StoredReading; error: null }
  | { page: number; page_key: string; reading: null; error: PageError };

/** A page with its stored bytes, or why it was not read. */
type Loaded = { page: number; pageKey: string } & (
  | { bytes: ArrayBuffer; error: null }
  | { bytes: null; error: PageError }
);

/** @returns `null` if the page's bytes were deleted */
async function loadPage(bucket: R2Bucket, job: Job, of: JobPage): Promise<Loaded | null> {
  const { page, pageKey } = of;
  if (of.state !== "done") return { page, pageKey, bytes: null, error: of.error ?? NOT_READ };
  const bytes = await resultBytes(bucket, job, of);
  return bytes && { page, pageKey, bytes, error: null };
}

/** The stored reading is one line of JSON: it is copied. */
async function lineOf({ page, pageKey, bytes, error }: Loaded): Promise<Uint8Array> {
  const head = `{"page":${page},"page_key":${JSON.stringify(pageKey)},"reading":`;
  const line = [head, bytes ?? "null", `,"error":${JSON.stringify(error)}}\n`];
  return new Uint8Array(await new Blob(line).arrayBuffer());
}

const plainText = async ({ page, bytes, error }: Loaded, plain: PlainForm): Promise<string> =>
  JSON.stringify(
    bytes ? await plain(JSON.parse(new TextDecoder().decode(bytes))) : { page, error },
  );

/** The pages of a bundle in their plain form: their JSON, joined by commas. */
export interface PlainPages {
  json: Uint8Array | ReadableStream<Uint8Array>;
  bytes: number;
}

/** Opens the pages in their plain form, as they were answered when the bundle was made; `null` if they do not exist. */
export async function openPlain(
  bucket: R2Bucket,
  owner: Owner,
  name: string,
): Promise<PlainPages | null> {
  const found = await openWhole(bucket, path(owner, name, ".json"));
  if (!found) return null;
  if (found instanceof Uint8Array) return { json: found, bytes: found.byteLength };
  return { json: found.body, bytes: found.size };
}

/** Whether memory holds the pages in their plain form. */
export const holdsPlain = (owner: Owner, name: string): boolean =>
  opened.find(path(owner, name, ".json"), Date.now()) !== null;

/** @returns the bytes if memory holds them from now on, else the object; `null` if it does not exist */
async function openWhole(bucket: R2Bucket, key: string): Promise<Uint8Array | R2ObjectBody | null> {
  const known = opened.find(key, Date.now());
  if (known) return known;
  const object = await bucket.get(key);
  if (!object || !Memory.takes(object.size)) return object;
  const bytes = new Uint8Array(await object.arrayBuffer());
  opened.keep(key, bytes, bytes.byteLength, Date.now());
  return bytes;
}

/**
 * Opens a bundle with one read; with `choose`, with a read of the numbers and a read of the part that has these pages.
 * @param choose which of the bundle's pages to read, by their numbers; at least one. What it throws is passed on
 * @returns the pages in order; `null` if the bundle does not exist
 */
export async function openBundle(
  bucket: R2Bucket,
  owner: Owner,
  name: string,
  choose?: (pages: number[]) => number[],
): Promise<AsyncGenerator<StoredEntry> | null> {
  const key = path(owner, name, ".jsonl");
  if (!choose) {
    const whole = await openWhole(bucket, key);
    if (!whole) return null;
    const isHeld = whole instanceof Uint8Array;
    const body = isHeld ? new Blob([whole as Uint8Array<ArrayBuffer>]).stream() : whole.body;
    return entriesOf(body, () => true);
  }
  const tail = await bucket.get(key, { range: { suffix: INDEX_BYTES } });
  if (!tail) return null;
  const index = (await tail.text()).trimEnd().split("\n").at(-1) as string;
  const { lines } = JSON.parse(index) as { lines: [page: number, bytes: number][] };
  const chosen = new Set(choose(lines.map(([page]) => page)));
  const isChosen = ([page]: [number, number]) => chosen.has(page);
  const first = lines.findIndex(isChosen);
  const last = lines.findLastIndex(isChosen);
  const bytes = (part: [number, number][]) => part.reduce((sum, [, length]) => sum + length, 0);
  const range = {
    offset: bytes(lines.slice(0, first)),
    length: bytes(lines.slice(first, last + 1)),
  };
  const object = await bucket.get(key, { range });
  return object && entriesOf(object.body, (page) => chosen.has(page));
}

async function* entriesOf(
  body: ReadableStream<Uint8Array>,
  wanted: (page: number) => boolean,
): AsyncGenerator<StoredEntry> {
  for await (const text of linesOf(body)) {
    if (text.startsWith('{"lines":')) continue;
    const { page, page_key: pageKey, ...rest } = JSON.parse(text) as Line;
    if (wanted(page)) yield { page, pageKey, ...rest };
  }
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop() as string;
    yield* parts;
  }
}

/**
 * Records that a job's result is in a bundle, or with an empty name that it has none. Call it when the bundle is written.
 * If the document or the job was deleted meanwhile, the bundle is erased.
 */
export async function recordBundle(
  db: D1Database,
  bucket: R2Bucket,
  job: Pick<Job, "id" | "tenantId" | "fileId">,
  name: string,
): Promise<void> {
  const used = await db
    .prepare(
      `UPDATE jobs SET bundle = ?1 WHERE id = ?2
         AND (?1 = '' OR EXISTS (SELECT 1 FROM files WHERE id = jobs.file_id)) RETURNING id`,
    )
    .bind(name, job.id)
    .first();
  if (!used && name !== "") await eraseUnused(db, bucket, [{ ...job, bundle: name }]);
}

/** A bundle of a document. */
export interface NamedBundle extends Owner {
  bundle: string;
}

/** The bundles of jobs. */
export async function bundlesOf(db: D1Database, jobIds: string[]): Promise<NamedBundle[]> {
  const { results } = await db
    .prepare(
      `SELECT DISTINCT tenant_id AS tenantId, file_id AS fileId, bundle FROM jobs
       WHERE id IN (SELECT value FROM json_each(?)) AND bundle <> ''`,
    )
    .bind(JSON.stringify(jobIds))
    .all<{ tenantId: string; fileId: string; bundle: string }>();
  return results;
}

/** The most objects that R2 deletes at once. */
const DELETED_AT_ONCE = 1000;

/** Erases those of the bundles that no job has. */
export async function eraseUnused(
  db: D1Database,
  bucket: R2Bucket,
  bundles: NamedBundle[],
): Promise<void> {
  const { results } = await db
    .prepare(
      `SELECT value ->> 'tenantId' AS tenantId, value ->> 'fileId' AS fileId, value ->> 'bundle' AS bundle
       FROM json_each(?) b WHERE NOT EXISTS
         (SELECT 1 FROM jobs WHERE file_id = b.value ->> 'fileId' AND bundle = b.value ->> 'bundle'
           AND EXISTS (SELECT 1 FROM files WHERE id = jobs.file_id))`,
    )
    .bind(
      JSON.stringify(bundles.map(({ tenantId, fileId, bundle }) => ({ tenantId, fileId, bundle }))),
    )
    .all<{ tenantId: string; fileId: string; bundle: string }>();
  const paths = results.flatMap((unused) => [
    path(unused, unused.bundle, ".jsonl"),
    path(unused, unused.bundle, ".json"),
  ]);
  for (let i = 0; i < paths.length; i += DELETED_AT_ONCE)
    await bucket.delete(paths.slice(i, i + DELETED_AT_ONCE));
}

/** Ended jobs that are to be bundled, as SQL. Jobs in the background and those to be erased are not. */
const UNBUNDLED =
  "bundle IS NULL AND finished_at IS NOT NULL AND background = 0 AND zero_retention = 0";

/** Jobs that ended before `before` and whose bundles are not made, newest first, until they have `pages` pages. */
export async function jobsWithoutBundle(
  db: D1Database,
  before: number,
  pages: number,
): Promise<string[]> {
  const { results } = await db
    .prepare(
      `SELECT id FROM (SELECT id, total, sum(total) OVER (ORDER BY finished_at DESC, id ROWS UNBOUNDED PRECEDING) AS together
         FROM (SELECT id, total, finished_at FROM jobs WHERE ${UNBUNDLED} AND finished_at < ?1
           ORDER BY finished_at DESC LIMIT 50))
       WHERE together - total < ?2`,
    )
    .bind(before, pages)
    .all<{ id: string }>();
  return results.map(({ id }) => id);
}

/** Ended jobs of a document whose bundles are not made. */
export async function unbundledJobsOf(db: D1Database, fileId: string): Promise<string[]> {
  const { results } = await db
    .prepare(`SELECT id FROM jobs WHERE file_id = ? AND ${UNBUNDLED} LIMIT 20`)
    .bind(fileId)
    .all<{ id: string }>();
  return results.map(({ id }) => id);
}
