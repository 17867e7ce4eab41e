/** The readers whose workers have reported, with the digest of the weights that they run. */
interface SeenModel {
  digest: string;
  seenAt: number;
}

export async function seenModels(db: D1Database): Promise<Map<string, SeenModel>> {
  const { results } = await db
    .prepare("SELECT name, digest, seen_at FROM models")
    .all<{ name: string; digest: string; seen_at: number }>();
  return new Map(results.map(({ name, digest, seen_at }) => [name, { digest, seenAt: seen_at }]));
}
