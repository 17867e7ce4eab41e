/** A reading in the form of an answer, with the receipt for its Markdown in that form. */
import type { Env } from "../bindings.ts";
import { withLinks } from "../domain/pages/links.ts";
import type { StoredPageResult, StoredReading } from "../domain/pages/page-result.ts";
import { PLAIN, type Presentation, present } from "../domain/pages/presentation.ts";
import { receiptKey, receiptOfForm } from "../domain/pages/receipt.ts";
import { settings } from "../settings.ts";

/**
 * @param reading with its links in the Markdown, if the form wants them there
 * @param signed the Markdown that its receipt is for
 * @param figures URLs of the figures to show, by the ids of their blocks
 */
export async function inForm(
  env: Env,
  reading: StoredReading,
  signed: string | undefined,
  form: Presentation,
  figures?: ReadonlyMap<number, string>,
): Promise<StoredPageResult> {
  const result = present(reading, form, figures);
  if (result.markdown === signed) return result;
  const key = await receiptKey(settings(env).SIGNING_SECRET);
  return { ...result, receipt: await receiptOfForm(key, reading.receipt, result.markdown) };
}

/** A stored reading in the plain form. */
export const plainForm = (env: Env) => (reading: StoredReading) =>
  inForm(env, withLinks(reading), reading.markdown, PLAIN);
