/** The pages of a job that had all of them in the cache, as they are stored in `job_hits` (migration 0047). */
import type { JobPage } from "./jobs.ts";

/** The column `hits`, parsed. */
interface Hits {
  digest: string;
  pages: [
    page: number,
    pageKey: string,
    verdict: string,
    finishReason: string,
    readAt: number,
    readings: number,
  ][];
}

/** @param hits the column */
export const pagesOf = (hits: string): JobPage[] => {
  const { digest, pages } = JSON.parse(hits) as Hits;
  return pages.map(([page, pageKey, verdict, finishReason, readAt, readings]) => ({
    page,
    pageKey,
    state: "done",
    source: "hit",
    modelDigest: digest,
    verdict,
    finishReason,
    error: null,
    fromTokens: false,
    readings,
    readAt,
  }));
};

/**
 * The column, as SQLite writes it for a job that gets these pages from the cache.
 * @returns `null` if no job does: the pages were not all read, and by readers with one digest
 */
export function hitsOf(pages: JobPage[]): string | null {
  const digest = pages[0]?.modelDigest ?? null;
  const isHit = ({ state, modelDigest, readAt }: JobPage) =>
    state === "done" && modelDigest === digest && readAt !== null;
  if (digest === null || !pages.every(isHit)) return null;
  const hits: Hits = {
    digest,
    pages: pages.map(({ page, pageKey, verdict, finishReason, readAt, readings }) => [
      page,
      pageKey,
      verdict as string,
      finishReason as string,
      readAt as number,
      readings,
    ]),
  };
  return JSON.stringify(hits);
}
