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
