/** The migrations of the local database (scripts/migrate.ts), on a database of its own under a real workerd. */
import assert from "node:assert/strict";
import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { migrate } from "../../scripts/migrate.ts";

test("a migration that fails is named and leaves nothing; mended, it is applied with what comes after", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "fovea-migrate-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const migrations = join(folder, "migrations");
  mkdirSync(migrations);
  const write = (name: string, sql: string) => writeFileSync(join(migrations, name), sql);
  const apply = () => migrate(folder, { DB: "tests" }, migrations);
  const trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; DELETE FROM a; END;";
  write("0001_a.sql", "-- first\nCREATE TABLE a (x TEXT);\nCREATE TABLE b (x TEXT);\n");
  write("0002_b.sql", `${trigger}\nINSERT INTO a VALUES ('gone;');\nCREATE TABLE a (x TEXT);`);
  await assert.rejects(apply(), /0002_b\.sql failed: .*already exists/);
  write("0002_b.sql", trigger);
  write("0003_c.sql", "ALTER TABLE b ADD COLUMN y TEXT;\n-- the end");
  await apply();
  await apply();

  const [file] = globSync(join(folder, "v3/d1/*/*.sqlite")).filter(
    (path) => !/metadata/.test(path),
  );
  const database = new DatabaseSync(file as string, { readOnly: true });
  t.after(() => database.close());
  const names = (sql: string) =>
    database
      .prepare(sql)
      .all()
      .map(({ name }) => name);
  assert.deepEqual(names("SELECT name FROM d1_migrations ORDER BY id"), [
    "0001_a.sql",
    "0002_b.sql",
    "0003_c.sql",
  ]);
  assert.deepEqual(names("SELECT name FROM pragma_table_info('b')"), ["x", "y"]);
  assert.deepEqual(names("SELECT name FROM sqlite_master WHERE type = 'trigger'"), ["t"]);
});
