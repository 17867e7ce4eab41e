/**
 * Writes the output of a batch. Settled lines become records of a JSONL shard, which is streamed into R2 while its
 * SHA-256 is computed. Each line has one record for itself, followed by one for each page. After the bytes are
 * stored, one transaction adds the shard's row and removes the lines.
 */
import type { Env } from "../bindings.ts";
import { readLabels, toRanges } from "../domain/batches/batch.ts";
import type { PageEntry } from "../domain/pages/page-result.ts";
import { formatSelection, type PageSelection } from "../domain/pages/page-selection.ts";
import { presentedEntries } from "../jobs/present.ts";
import { settings } from "../settings.ts";
import { driveDeliveries } from "../signals/drive-output.ts";
import { type SettledLine, settledLines } from "../storage/batch-lines.ts";
import {
  commitShard,
  lastShard,
  outputManifestPath,
  outputShards,
  shardPath,
  type WrittenLine,
} from "../storage/batch-output.ts";
import type { Batch } from "../storage/batches.ts";
import {
  eraseExtractions,
  extractionsOfJobs,
  findExtraction,
  readData,
} from "../storage/extractions.ts";
import { bestEffort } from "../storage/fault.ts";
import { type Job, type JobOfBatch, jobsWithPages } from "../storage/jobs.ts";
import { R2Stream } from "../storage/r2-stream.ts";
import { readAllStored } from "../storage/results.ts";
import { deliveriesOfShard } from "./delivery.ts";
import { writeMistralLine } from "./mistral.ts";
import { outputManifest } from "./output-manifest.ts";

const JSONL = "application/jsonl";

/** A shard ends when it reaches one of these limits. */
const SHARD_LINES = 1000;
const SHARD_PAGES = 2000;
const SHARD_BYTES = 64 * 1024 * 1024;

/** Maximum number of lines, and approximate number of pages, whose records are loaded at once. */
const LOAD_LINES = 200;
const LOAD_PAGES = 1000;

export const shardIsDue = (counts: { settled: number; settledPages: number }): boolean =>
  counts.settled >= SHARD_LINES / 2 || counts.settledPages >= SHARD_PAGES / 2;

/** Writes the lines that are settled now as one shard. */
export async function writeShard(env: Env, batch: Batch): Promise<{ pages: number }> {
  const number = (await lastShard(env.DB, batch.id)) + 1;
  const timeoutMs = settings(env).STORAGE_TIMEOUT_S * 1000;
  const out = new R2Stream(env.BUCKET, shardPath(batch, number), JSONL, timeoutMs);
  const written: WrittenLine[] = [];
  const used = new Set<string>();
  let pages = 0;
  const full = () =>
    written.length >= SHARD_LINES || pages >= SHARD_PAGES || out.bytes >= SHARD_BYTES;
  try {
    while (!full()) {
      const lines = await settledLines(env.DB, batch.id, written.at(-1)?.line ?? 0, LOAD_LINES);
      if (lines.length === 0) break;
      for (const group of groups(lines)) {
        const ids = jobIds(group);
        const jobs: Map<string, JobOfBatch> =
          ids.length > 0 ? await jobsWithPages(env.DB, ids) : new Map();
        for (const line of group) {
          if (full()) break;
          const found = line.jobId === null ? undefined : jobs.get(line.jobId);
          const write = batch.mistral ? writeMistralLine : writeLine;
          const done = await write(env, batch, out, line, found);
          if (found?.job.extractionId || found?.job.figuresId) used.add(found.job.id);
          pages += done.written;
          written.push({ line: line.line, outcome: line.outcome, again: done.again });
        }
      }
    }
    const { bytes, sha256 } = await out.end();
    const shard = { number, run: batch.run, lines: written.length, pages, bytes, sha256 };
    const now = Date.now();
    const deliveries = deliveriesOfShard(env, batch, number, now);
    const extractions = await extractionsOfJobs(env.DB, [...used]);
    await commitShard(env.DB, batch.id, { ...shard, createdAt: now }, written, deliveries);
    // Their data are in the shard, and their jobs are deleted.
    if (extractions.length > 0)
      await bestEffort(eraseWritten(env, extractions), { extractions_of: batch.id });
    if (deliveries.length > 0) await driveDeliveries(env, batch.id);
    return { pages };
  } catch (error) {
    await out.discard();
    throw error;
  }
}

/** Cuts lines into groups whose jobs' pages fit into memory. */
function* groups(lines: SettledLine[]): Generator<SettledLine[]> {
  let group: SettledLine[] = [];
  let pages = 0;
  for (const line of lines) {
    if (group.length > 0 && pages + line.pages > LOAD_PAGES) {
      yield group;
      group = [];
      pages = 0;
    }
    group.push(line);
    pages += line.pages;
  }
  if (group.length > 0) yield group;
}

const jobIds = (lines: SettledLine[]) => [
  ...new Set(lines.flatMap(({ jobId }) => (jobId === null ? [] : [jobId]))),
];

/** @returns the number of page records written, and the pages that another run must read */
async function writeLine(
  env: Env,
  batch: Batch,
  out: R2Stream,
  line: SettledLine,
  found: JobOfBatch | undefined,
): Promise<{ written: number; again: PageSelection | null }> {
  const { customId, metadata } = readLabels(line.spec ?? "");
  const extraction = found && (await extractionOf(env, found.job));
  const labels = { line: line.line, run: batch.run, custom_id: customId };
  const done = found?.pages.filter(({ state }) => state === "done") ?? [];
  const missing = found?.pages.filter(({ state }) => state !== "done") ?? [];
  await out.write(
    record({
      type: "line",
      ...labels,
      state: line.outcome,
      error: line.error,
      metadata,
      source: sourceOf(line.spec),
      ...(found && {
        file_id: found.job.fileId,
        document_sha256: found.document?.sha256 ?? null,
        ...shownOptions(found.job),
        ...found.job.presentation,
        selection: formatSelection(found.job.selection),
      }),
      ...(extraction && { extraction }),
      pages_done: done.length,
      failed_pages: missing.map(({ page, state, error }) => ({
        page,
        error: error ?? { code: state, message: `The page is ${state}.` },
      })),
    }),
  );
  if (!found) return { written: 0, again: null };
  let written = 0;
  const stored = readAllStored(env.BUCKET, found.job, done);
  for await (const entry of presentedEntries(env, found.job, stored, found.job.presentation)) {
    const reading = done[written]?.pageKey;
    await out.write(record({ type: "page", ...labels, page: entry.page, reading, ...body(entry) }));
    written++;
  }
  const again = missing.length > 0 ? toRanges(missing.map(({ page }) => page)) : null;
  return { written, again };
}

/** The options without the mark of the document's password. */
const shownOptions = ({ options: { password: _, ...shown } }: Job) => shown;

/** Erases the data of extractions whose records are gone. A job that other lines still wait for keeps its own. */
async function eraseWritten(env: Env, extractions: Awaited<ReturnType<typeof extractionsOfJobs>>) {
  for (const extraction of extractions)
    if (!(await findExtraction(env.DB, extraction.id)))
      await eraseExtractions(env.BUCKET, [extraction]);
}

/** What was extracted, or why not; `null` if the line has not asked for it. */
async function extractionOf(env: Env, { extractionId }: Job) {
  const extraction = extractionId ? await findExtraction(env.DB, extractionId) : null;
  if (!extraction) return null;
  const { state, model, error, inputTokens, outputTokens } = extraction;
  const found = state === "succeeded" ? await readData(env.BUCKET, extraction) : null;
  const usage = { input_tokens: inputTokens, output_tokens: outputTokens };
  return { state, model, error, usage, ...found };
}

const body = ({ result, error }: PageEntry) => (result ? { result } : { result: null, error });

type Source = { url: string } | { file: string } | { bucket: string; key: string; etag?: string };

function sourceOf(spec: string | null): Source | null {
  try {
    const { url, file, bucket, key, etag } = JSON.parse(spec ?? "");
    if (typeof bucket === "string" && typeof key === "string") return { bucket, key, etag };
    if (typeof url === "string") return { url };
    if (typeof file === "string") return { file };
  } catch {}
  return null;
}

const encoder = new TextEncoder();
const record = (value: object) => encoder.encode(`${JSON.stringify(value)}\n`);

/** Writes the list of shards next to them, for users who copy the output from the bucket. */
export async function writeOutputManifest(env: Env, batch: Batch): Promise<void> {
  const shards = await outputShards(env.DB, batch.id);
  await env.BUCKET.put(
    outputManifestPath(batch),
    JSON.stringify(outputManifest(batch, shards, true)),
    { httpMetadata: { contentType: "application/json" } },
  );
}
