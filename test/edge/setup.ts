/** Makes the tables in one transaction; `applyD1Migrations` makes a trip for each statement. */
// Before any schema of the domain: it adds `openapi` to those that are made later.
import "@hono/zod-openapi";
import { env } from "./support.ts";

const migrations = env.TEST_MIGRATIONS as { queries: string[] }[];
await env.DB.batch(migrations.flatMap(({ queries }) => queries).map((sql) => env.DB.prepare(sql)));
