/** The pictures of a job's pages. `fovea-render` makes them from the same document, whichever model reads it. */
import type { Env } from "../bindings.ts";
import { toRanges } from "../domain/batches/batch.ts";
import { isText } from "../domain/documents/media-type.ts";
import { RENDER } from "../domain/pages/models.ts";
import { pageKey } from "../domain/pages/page-key.ts";
import { formatSelection } from "../domain/pages/page-selection.ts";
import { Problem } from "../problem.ts";
import { settings } from "../settings.ts";
import { fileById } from "../storage/files.ts";
import type { Job, JobPage } from "../storage/jobs.ts";
import { digestName, seenModels } from "../storage/models.ts";
import { countUncached } from "../storage/planning.ts";
import { imageBytes } from "../storage/results.ts";

/**
 * @returns a function that loads the PNG of a page, or `null` if the page was not read
 * @throws Problem `page-images-missing`, with the request that makes the images
 */
export async function pageImages(
  env: Env,
  job: Job,
  pages: JobPage[],
): Promise<(page: number) => Promise<Uint8Array | null>> {
  const file = await fileById(env.DB, job.tenantId, job.fileId);
  if (!file) throw new Problem("gone", "The file was deleted.");
  const { dpi, mode: readIn, password } = job.options;
  // The layout of a text depends on the mode. Other pages look the same in all modes.
  const mode = isText(file.mediaType) ? readIn : "auto";
  const options = {
    model: RENDER,
    mode,
    task: "markdown" as const,
    prompt: null,
    dpi,
    ...(password !== undefined && { password }),
  };
  const wanted = await Promise.all(
    pages
      .filter(({ state }) => state === "done")
      .map(async ({ page }) => ({
        page,
        pageKey: await pageKey(job.tenantId, file.sha256, options, page),
      })),
  );
  const reader = digestName(RENDER, file.mediaType);
  if (wanted.length > 0 && (await countUncached(env.DB, reader, wanted)) > 0) {
    if (!settings(env).MODELS.includes(RENDER))
      throw new Problem(
        "unsupported-option",
        `A PDF needs the model ${RENDER}, which is not available.`,
      );
    // Without `zero_retention`, also on a document that is lent: its images go with it when the PDF is handed over.
    const request = {
      file: file.id,
      model: RENDER,
      mode,
      dpi,
      pages: formatSelection(toRanges(wanted.map(({ page }) => page))),
    };
    throw new Problem(
      "page-images-missing",
      `POST /v1/ocr with the \`request\` below${password === undefined ? "" : ", and the document's `password`,"} makes them. Ask again when that job has ended.`,
      { request },
    );
  }
  const digest = (await seenModels(env.DB)).get(reader)?.digest;
  const keys = new Map(wanted.map(({ page, pageKey }) => [page, pageKey]));
  return async (page) => {
    const key = keys.get(page);
    return key && digest ? imageBytes(env.BUCKET, job, key, digest) : null;
  };
}
