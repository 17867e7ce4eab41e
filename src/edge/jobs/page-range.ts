/** Some pages of a job, for clients that take a result piece by piece while the job may still be open. */
import { toRanges } from "../domain/batches/batch.ts";
import {
  formatSelection,
  parsePageSelection,
  resolvePages,
} from "../domain/pages/page-selection.ts";
import { Problem } from "../problem.ts";
import type { Job, JobPage } from "../storage/jobs.ts";

export interface PageRange {
  /** Pages that have a result or an error, in order. */
  ready: number[];
  /** Pages that are still to be read. */
  pending: number[];
}

/**
 * @param selection `""` for all pages. Those beyond the last page are left out
 * @throws Problem `invalid-page-selection` if the job has none of the pages
 */
export function pageRange(job: Job, pages: JobPage[], selection: string): PageRange {
  const parsed = parsePageSelection(selection);
  if (typeof parsed === "string") throw new Problem("invalid-page-selection", parsed);
  const wanted = new Set(resolvePages(parsed, pages.at(-1)?.page ?? 0).pages);
  const selected = pages.filter(({ page }) => wanted.has(page));
  if (selected.length === 0 && job.planned && pages.length > 0)
    throw new Problem("invalid-page-selection", "The job does not have any of these pages.");
  const numbers = (isPending: boolean) =>
    selected.filter(({ state }) => (state === "pending") === isPending).map(({ page }) => page);
  return { ready: numbers(false), pending: numbers(true) };
}

/** The pages of a range from a page on, whether they are read or not. */
export const pagesFrom = ({ ready, pending }: PageRange, first: number) =>
  pageList([...ready, ...pending].filter((page) => page >= first));

export const pageList = (pages: number[]) => formatSelection(toRanges(pages));
