/** Plain-text search in the pages of a job. */
import type { Env } from "../bindings.ts";
import { type Hit, searchPage } from "../domain/pages/search.ts";
import type { Job } from "../storage/jobs.ts";
import { type PageRange, pageList, pagesFrom } from "./page-range.ts";
import { openResult } from "./result.ts";

/** Pages of one search: each is parsed. */
const MOST_PAGES = 200;

export interface Found {
  hits: (Hit & { page: number })[];
  /** Further hits of the last page that was searched. */
  omitted: number;
  /** Pages that were searched. */
  searched: number;
  /** The pages to search next; `null` if all that are read were searched. */
  next: string | null;
}

/** @throws Problem `gone` */
export async function searchJob(
  env: Env,
  job: Job,
  { ready, pending }: PageRange,
  pattern: RegExp,
  most: number,
): Promise<Found> {
  const now = ready.slice(0, MOST_PAGES);
  const hits: Found["hits"] = [];
  let searched = 0;
  if (now.length > 0) {
    const { entries } = await openResult(env, job, pageList(now));
    for await (const { page, reading } of entries) {
      if (hits.length >= most) break;
      searched++;
      if (reading) hits.push(...searchPage(reading, pattern).map((hit) => ({ page, ...hit })));
    }
  }
  const first = ready[searched];
  const shown = hits.slice(0, most);
  return {
    hits: shown,
    omitted: hits.length - shown.length,
    searched,
    next: first === undefined ? null : pagesFrom({ ready, pending }, first),
  };
}
