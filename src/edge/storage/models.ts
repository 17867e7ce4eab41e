import { isText, type MediaType } from "../domain/documents/media-type.ts";

/** The readers whose workers have reported, with the digest of the weights that they run. */
interface SeenModel {
  digest: string;
  seenAt: number;
  /** BCP-47 tags; `null` if the worker has not reported any. */
  languages: string[] | null;
}

export async function seenModels(db: D1Database): Promise<Map<string, SeenModel>> {
  const { results } = await db
    .prepare("SELECT name, digest, seen_at, languages FROM models")
    .all<{ name: string; digest: string; seen_at: number; languages: string | null }>();
  return new Map(
    results.map(({ name, digest, seen_at, languages }) => [
      name,
      { digest, seenAt: seen_at, languages: languages === null ? null : JSON.parse(languages) },
    ]),
  );
}

/**
 * The name under which a reader's digest is stored. Texts have a separate one, because their digest also covers how
 * the worker lays them out.
 */
export const digestName = (model: string, mediaType: MediaType) =>
  isText(mediaType) ? `${model} of texts` : model;

/** Stores a reader's digest. Cached results are used only if they have the digest that was reported last. */
export function rememberModel(
  db: D1Database,
  name: string,
  digest: string,
  now: number,
  languages?: string[],
): D1PreparedStatement {
  return db
    .prepare(
      `INSERT INTO models (name, digest, seen_at, languages) VALUES (?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, seen_at = excluded.seen_at,
         languages = COALESCE(excluded.languages, models.languages)
       WHERE models.digest <> excluded.digest OR models.languages IS NOT COALESCE(excluded.languages, models.languages)`,
    )
    .bind(name, digest, now, languages?.length ? JSON.stringify(languages) : null);
}
