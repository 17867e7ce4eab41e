/** The pages of a job in the form that a request chooses. */
import type { Env } from "../bindings.ts";
import type { PageEntry, PageError, StoredPageResult } from "../domain/pages/page-result.ts";
import { type Presentation, present } from "../domain/pages/presentation.ts";
import { receiptKey, receiptOfForm } from "../domain/pages/receipt.ts";
import { settings } from "../settings.ts";
import type { Job, JobPage } from "../storage/jobs.ts";
import { readAllStored } from "../storage/results.ts";

/** The pages in order. A page whose Markdown takes another form than the stored one gets a receipt for that form. */
export async function* presentedEntries(
  env: Env,
  job: Job,
  pages: JobPage[],
  form: Presentation,
): AsyncGenerator<PageEntry> {
  const key = await receiptKey(settings(env).SIGNING_SECRET);
  for await (const { page, reading, error } of readAllStored(env.BUCKET, job, pages)) {
    if (!reading) {
      yield { page, result: null, error };
      continue;
    }
    const result = present(reading, form);
    if (result.markdown !== reading.markdown)
      result.receipt = await receiptOfForm(key, reading.receipt, result.markdown);
    yield { page, result, error: null };
  }
}

/** The whole result of a job. The caller limits the number of pages. */
export async function presentedDocument(env: Env, job: Job, pages: JobPage[]) {
  const entries: (StoredPageResult | { page: number; error: PageError })[] = [];
  for await (const { page, result, error } of presentedEntries(env, job, pages, job.presentation))
    entries.push(result ?? { page, error });
  return { schema: 1 as const, job_id: job.id, file_id: job.fileId, pages: entries };
}
