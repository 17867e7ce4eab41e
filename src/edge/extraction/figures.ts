/** Data from the figures of a document: the model gets the picture of each, and fills the schema. */
import type { Env } from "../bindings.ts";
import { base64 } from "../domain/encoding.ts";
import { FAULTS_OF_A_FIGURE } from "../domain/extraction/faults.ts";
import type { Part } from "../domain/extraction/parts.ts";
import { figureMessages } from "../domain/extraction/prompt.ts";
import type { ExtractionSchema } from "../domain/extraction/schema.ts";
import { ChosenFigures, type FigureChoice } from "../domain/pages/figure-choice.ts";
import type { StoredReading } from "../domain/pages/page-result.ts";
import { openResult } from "../jobs/result.ts";
import { Problem } from "../problem.ts";
import type { FigureAnswer } from "../storage/extractions.ts";
import type { Job } from "../storage/jobs.ts";
import { figureOf } from "../storage/results.ts";
import { dataFrom } from "./ask.ts";
import { type Provider, ProviderFault } from "./provider.ts";

/** Largest picture that is sent to a model. Several are in memory at once, each as text too. */
const MAX_PICTURE_BYTES = 4 * 1024 ** 2;

/**
 * The chosen figures that have a picture, in order.
 * @returns `null` if there are more than `most`
 */
export async function figureParts(
  pages: AsyncIterable<{ page: number; reading: StoredReading }>,
  choice: FigureChoice,
  most: number,
): Promise<Part[] | null> {
  const chosen = new ChosenFigures(choice);
  const parts: Part[] = [];
  for await (const { page, reading } of pages) {
    for (const { id, figure } of chosen.of(reading))
      if (figure) parts.push({ first: page, last: page, figure: id });
    if (parts.length > most) return null;
  }
  return parts;
}

/**
 * Asks about one figure. A fault that may not concern the others is a part of the answer.
 * @throws ProviderFault
 */
export async function answerAboutFigure(
  env: Env,
  provider: Provider,
  job: Job,
  { first: page, figure: block }: Part,
  schema: ExtractionSchema,
): Promise<FigureAnswer> {
  const place = { page, block: block as number };
  try {
    const picture = await pictureOf(env, job, place);
    const { data, tokens } = await dataFrom(provider, figureMessages(picture, schema.sent), schema);
    return { ...place, data, error: null, tokens };
  } catch (error) {
    if (!(error instanceof ProviderFault && FAULTS_OF_A_FIGURE.has(error.code))) throw error;
    const { code, message, tokens } = error;
    return { ...place, data: null, error: { code, message }, tokens };
  }
}

/** @returns a `data:` URL */
async function pictureOf(env: Env, job: Job, place: { page: number; block: number }) {
  const { entries } = await openResult(env, job, String(place.page));
  for await (const { pageKey, reading } of entries) {
    const figure = reading?.blocks.find(({ id }) => id === place.block)?.figure;
    if (!reading || !figure) continue;
    if (figure.bytes > MAX_PICTURE_BYTES) throw new ProviderFault("figure_too_large");
    const object = await figureOf(env.BUCKET, job, pageKey, reading.model_digest, place.block);
    if (object) return `data:${figure.media_type};base64,${base64(await object.arrayBuffer())}`;
  }
  throw new Problem("gone", "The picture was deleted.");
}
