/**
 * Brings the local database to the newest migration. `wrangler d1 migrations apply --local` does the same, and keeps the
 * same record of it in the table `d1_migrations`, but takes twenty seconds for an empty database.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";

const RECORD = `CREATE TABLE IF NOT EXISTS d1_migrations(
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)`;

/**
 * @param data the edge's data folder; no edge may run on it
 * @param d1Databases of the options of Miniflare
 * @param folder of the migrations, in the order of their names
 * @throws Error that names the migration that failed; those before it stay applied
 */
export async function migrate(
  data: string,
  d1Databases: Record<string, unknown>,
  folder: string,
): Promise<void> {
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      name: "migrate",
      modules: true,
      script: "export default {}",
      d1Databases: d1Databases as Record<string, string>,
      resourcePersistencePath: resolve(data, "v3"),
      cf: false,
      telemetry: { enabled: false },
    }),
  );
  try {
    const db = await miniflare.getD1Database("DB");
    await db.prepare(RECORD).run();
    const { results } = await db.prepare("SELECT name FROM d1_migrations").all<{ name: string }>();
    const applied = new Set(results.map(({ name }) => name));
    for (const name of readdirSync(folder).sort()) {
      if (applied.has(name)) continue;
      const note = db.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(name);
      const sql = readFileSync(join(folder, name), "utf8");
      // Behind the last statement D1 takes no comment.
      const migration = db.prepare(sql.replace(/(?:\s*--[^\n]*)*\s*$/, ""));
      // A batch is one transaction.
      await db.batch([migration, note]).catch((error) => {
        throw new Error(`The migration ${name} failed: ${error.message}`);
      });
    }
  } finally {
    await miniflare.dispose();
  }
}
