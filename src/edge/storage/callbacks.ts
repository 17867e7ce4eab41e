/** Ids of accepted signed callbacks. They are kept as long as their signature is valid, to reject replays. */
const KEEP_MS = 60 * 60_000;

/** @returns whether the id is new */
export async function firstSight(db: D1Database, id: string, now: number): Promise<boolean> {
  const [insert] = await db.batch([
    db.prepare("INSERT OR IGNORE INTO seen_callbacks (id, seen_at) VALUES (?, ?)").bind(id, now),
    db.prepare("DELETE FROM seen_callbacks WHERE seen_at < ?").bind(now - KEEP_MS),
  ]);
  return (insert as D1Result).meta.changes > 0;
}
