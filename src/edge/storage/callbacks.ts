/** Ids of signed callbacks that were accepted, kept for as long as their signature could be replayed. */
const KEEP_MS = 60 * 60_000;

/** @returns whether this is the first time that the id is seen. */
export async function firstSight(db: D1Database, id: string, now: number): Promise<boolean> {
  const [insert] = await db.batch([
    db.prepare("INSERT OR IGNORE INTO seen_callbacks (id, seen_at) VALUES (?, ?)").bind(id, now),
    db.prepare("DELETE FROM seen_callbacks WHERE seen_at < ?").bind(now - KEEP_MS),
  ]);
  return (insert as D1Result).meta.changes > 0;
}
