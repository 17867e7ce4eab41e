/** The answer of Mistral's OCR API about a job that has ended, page by page: for POST /v1/ocr and for batches. */
import type { Env } from "../bindings.ts";
import { pageContent } from "../domain/jobs/chat.ts";
import { failedPage, type MistralForm, MistralPages } from "../domain/mistral/page.ts";
import type { PageError } from "../domain/pages/page-result.ts";
import { PLAIN, roomForFigures } from "../domain/pages/presentation.ts";
import {
  type Extraction,
  type FigureData,
  type FiguresData,
  readData,
} from "../storage/extractions.ts";
import type { Job, JobPage } from "../storage/jobs.ts";
import type { StoredEntry } from "../storage/results.ts";
import { figureUrls } from "./present.ts";

const INLINE = { ...PLAIN, figures: "inline" } as const;

/** What was extracted from a job's text and from its images. */
export interface Extracted {
  extraction: Extraction | null;
  images: Extraction | null;
  /** JSON in a text, as Mistral's clients get it. */
  annotation: string | null;
  annotated: FigureData[];
}

/** @returns `null` if the data were deleted with the document */
export async function readExtracted(
  env: Env,
  { extraction, images }: Pick<Extracted, "extraction" | "images">,
): Promise<Extracted | null> {
  const [ofText, ofImages] = await Promise.all([
    extraction?.state === "succeeded" ? readData(env.BUCKET, extraction) : { data: null },
    images?.state === "succeeded"
      ? readData<FiguresData>(env.BUCKET, images)
      : { figures: [] as FigureData[] },
  ]);
  if (!ofText || !ofImages) return null;
  const annotation = ofText.data === null ? null : JSON.stringify(ofText.data);
  return { extraction, images, annotation, annotated: ofImages.figures };
}

/**
 * @param pages all pages of the job
 * @param entries their results
 * @param bytes of the document
 * @param place names the job or the line: the first members of `fovea`
 */
export async function* mistralAnswer(
  env: Env,
  job: Job,
  pages: JobPage[],
  entries: AsyncIterable<StoredEntry>,
  form: MistralForm,
  { bytes, place, ...found }: Extracted & { bytes: number; place: Record<string, unknown> },
): AsyncGenerator<string> {
  const writer = new MistralPages(form);
  const room = roomForFigures();
  const errors = new Map<number, PageError>();
  const annotated = Map.groupBy(found.annotated, ({ page }) => page);
  const failed: { image: string; error: PageError }[] = [];
  let before = '{"pages":[';
  for await (const { page, pageKey, reading, error } of entries) {
    if (!reading) {
      errors.set(page, error);
      const markdown = pageContent({ page, result: null, error });
      yield before + JSON.stringify(failedPage(page, markdown, form));
    } else {
      const images = writer.imagesOf(reading);
      const shown = { ...reading, blocks: form.includePictures ? [...images.keys()] : [] };
      const pictures = await figureUrls(env, job, { page, pageKey }, shown, INLINE, room);
      const annotations = new Map<number, string>();
      for (const { block, data, error } of annotated.get(page) ?? []) {
        if (data) annotations.set(block, JSON.stringify(data));
        const image = [...images].find(([{ id }]) => id === block)?.[1];
        if (error && image) failed.push({ image, error });
      }
      yield before + JSON.stringify(writer.page(reading, images, pictures, annotations));
    }
    before = ",";
  }
  const rest = {
    model: job.options.model,
    document_annotation: found.annotation,
    usage_info: { pages_processed: pages.length - errors.size, doc_size_bytes: bytes },
    fovea: {
      ...place,
      file_id: job.fileId,
      state: job.state,
      extraction: found.extraction && stateOf(found.extraction),
      image_extraction: found.images && { ...stateOf(found.images), failed },
      pages: pages.map(({ page, verdict, source }) => ({
        page,
        verdict: verdict ?? "failed",
        source,
        error: errors.get(page) ?? null,
      })),
    },
  };
  yield `${before === "," ? "" : before}],${JSON.stringify(rest).slice(1)}`;
}

const stateOf = ({ id, state, error }: Extraction) => ({ id, state, error });
