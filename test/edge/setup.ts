/** Makes the tables in one transaction; `applyD1Migrations` makes a trip for each statement. */
import { env } from "./support.ts";

const migrations = env.TEST_MIGRATIONS as { queries: string[] }[];
await env.DB.batch(migrations.flatMap(({ queries }) => queries).map((sql) => env.DB.prepare(sql)));
