/** Usage by day, key and model. It is counted in the transactions that deliver the pages. */

export interface Usage {
  day: string;
  key_id: string;
  model: string;
  pages_read: number;
  pages_shared: number;
  pages_cached: number;
  pages_failed: number;
  vision_tokens: number;
  text_tokens: number;
  pages_from_tokens: number;
  extractions: number;
  extractions_cached: number;
  extraction_input_tokens: number;
  extraction_output_tokens: number;
}

const ADD = `ON CONFLICT (tenant_id, day, key_id, model) DO UPDATE SET
  pages_read = pages_read + excluded.pages_read, pages_shared = pages_shared + excluded.pages_shared,
  pages_cached = pages_cached + excluded.pages_cached, pages_failed = pages_failed + excluded.pages_failed, vision_tokens = vision_tokens + excluded.vision_tokens,
  text_tokens = text_tokens + excluded.text_tokens, pages_from_tokens = pages_from_tokens + excluded.pages_from_tokens,
  extractions = extractions + excluded.extractions, extractions_cached = extractions_cached + excluded.extractions_cached,
  extraction_input_tokens = extraction_input_tokens + excluded.extraction_input_tokens,
  extraction_output_tokens = extraction_output_tokens + excluded.extraction_output_tokens`;

/**
 * Counts a pushed page of an existing document for every job that waits for it. It must run before `job_pages` is updated. A page that could
 * not be read counts only as failed.
 */
export function countLanded(
  db: D1Database,
  pageKey: string,
  fileId: string,
  tokens: { vision: number; text: number; fromTokens: number },
  failed: boolean,
  now: number,
): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO usage (tenant_id, day, key_id, model, pages_read, pages_shared, pages_failed, vision_tokens, text_tokens,
         pages_from_tokens)
       SELECT j.tenant_id, date(?7 / 1000, 'unixepoch'), j.key_id, j.options ->> 'model',
         sum(NOT ?5 AND p.source = 'read'), sum(NOT ?5 AND p.source = 'shared'), sum(?5), ?3 * sum(p.source = 'read'), ?4 * sum(p.source = 'read'),
         ?6 * sum(p.source = 'read')
       FROM job_pages p JOIN jobs j ON j.id = p.job_id WHERE p.page_key = ?1 AND p.state = 'pending'
         AND EXISTS (SELECT 1 FROM files WHERE id = ?2)
       GROUP BY j.tenant_id, j.key_id, j.options ->> 'model' ${ADD}`,
    )
    .bind(pageKey, fileId, tokens.vision, tokens.text, failed ? 1 : 0, tokens.fromTokens, now);
}

/**
 * Counts the pages that a job gets from the cache. It must run before these are inserted.
 * @param hits SQL `FROM … WHERE …` with the job as `j`; `?1` to `?3` are `parameters`, `?4` is the time
 */
export function countHits(
  db: D1Database,
  hits: string,
  parameters: [string, string, string],
  now: number,
): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO usage (tenant_id, day, key_id, model, pages_cached)
       SELECT j.tenant_id, date(?4 / 1000, 'unixepoch'), j.key_id, j.options ->> 'model', count(*)
       ${hits} GROUP BY j.id ${ADD}`,
    )
    .bind(...parameters, now);
}

/** Counts the pages of a job that had all of them in the cache. @param inserted SQL condition: the job is new */
export const countJobOfHits = (
  db: D1Database,
  jobId: string,
  inserted: string,
  now: number,
): D1PreparedStatement =>
  db
    .prepare(
      `INSERT INTO usage (tenant_id, day, key_id, model, pages_cached)
       SELECT tenant_id, date(?2 / 1000, 'unixepoch'), key_id, options ->> 'model', total
       FROM jobs WHERE id = ?1 AND ${inserted} ${ADD}`,
    )
    .bind(jobId, now);

/** Counts an open extraction and its tokens. It must run before the extraction is ended. */
export function countExtraction(
  db: D1Database,
  id: string,
  how: "made" | "cached" | "failed",
  now: number,
): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO usage (tenant_id, day, key_id, model, extractions, extractions_cached, extraction_input_tokens,
         extraction_output_tokens)
       SELECT tenant_id, date(?3 / 1000, 'unixepoch'), key_id, model, ?2 = 'made', ?2 = 'cached', input_tokens, output_tokens
       FROM extractions WHERE id = ?1 AND finished_at IS NULL AND (?2 <> 'failed' OR input_tokens + output_tokens > 0) ${ADD}`,
    )
    .bind(id, how, now);
}

/** Counts tokens of a model that has written a summary, or made vectors. */
export const countTokens = (
  db: D1Database,
  { tenantId, keyId }: { tenantId: string; keyId: string },
  { model, input, output }: { model: string; input: number; output: number },
  now: number,
): D1PreparedStatement =>
  db
    .prepare(
      `INSERT INTO usage (tenant_id, day, key_id, model, extraction_input_tokens, extraction_output_tokens)
       VALUES (?1, date(?6 / 1000, 'unixepoch'), ?2, ?3, ?4, ?5) ${ADD}`,
    )
    .bind(tenantId, keyId, model, input, output, now);

/** Days from `from` to `to` (`YYYY-MM-DD`, both included), oldest first. */
export async function readUsage(
  db: D1Database,
  tenantId: string,
  from: string,
  to: string,
  only: { keyId?: string | undefined; model?: string | undefined },
): Promise<Usage[]> {
  const { results } = await db
    .prepare(
      `SELECT day, key_id, model, pages_read, pages_shared, pages_cached, pages_failed, vision_tokens, text_tokens, pages_from_tokens,
         extractions, extractions_cached, extraction_input_tokens, extraction_output_tokens
       FROM usage WHERE tenant_id = ?1 AND day BETWEEN ?2 AND ?3 AND (?4 IS NULL OR key_id = ?4)
         AND (?5 IS NULL OR model = ?5) ORDER BY day, key_id, model LIMIT 10000`,
    )
    .bind(tenantId, from, to, only.keyId ?? null, only.model ?? null)
    .all<Usage & Record<string, unknown>>();
  return results;
}
