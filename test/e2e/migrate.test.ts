/** The migrations of the local database (scripts/migrate.ts), on a database of its own under a real workerd. */
import assert from "node:assert/strict";
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { migrate } from "../../scripts/migrate.ts";

function opened(folder: string): DatabaseSync {
  const [file] = globSync(join(folder, "v3/d1/*/*.sqlite")).filter(
    (path) => !/metadata/.test(path),
  );
  return new DatabaseSync(file as string, { readOnly: true });
}

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

  const database = opened(folder);
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

test("contexts from before there were segments lose no text, and images that are made again are erased", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "fovea-contexts-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const all = join(import.meta.dirname, "../../src/edge/storage/migrations");
  const before = join(folder, "before");
  mkdirSync(before);
  for (const name of readdirSync(all).filter((name) => name < "0055"))
    cpSync(join(all, name), join(before, name));
  const fixture = join(import.meta.dirname, "fixtures/contexts-before-segments.sql");
  cpSync(fixture, join(before, "0054_z.sql"));
  await migrate(folder, { DB: "tests" }, before);
  await migrate(folder, { DB: "tests" }, all);

  const database = opened(folder);
  t.after(() => database.close());
  const rows = (sql: string) =>
    database
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }));
  // Only what exists as an image alone is a segment; the rest is sealed again.
  assert.deepEqual(
    rows(
      "SELECT context_id AS c, number AS n, segment_id AS s FROM context_messages WHERE segment_id IS NOT NULL",
    ),
    [1, 2].map((n) => ({ c: "ctx_erased", n, s: "item_only" })),
  );
  assert.deepEqual(
    rows(
      "SELECT id, first, last, text_tokens, users, importance, newest_at, erased FROM context_segments",
    ),
    [
      {
        id: "item_only",
        first: 1,
        last: 2,
        text_tokens: 900,
        users: 1,
        importance: 0.5,
        newest_at: 20,
        erased: 1,
      },
    ],
  );
  const [render] = rows("SELECT profile, form, state, tokens, pages FROM context_renders");
  const { pages, ...rest } = render as { pages: string };
  assert.deepEqual(rest, { profile: "deepseek-ocr", form: "base", state: "ready", tokens: 432 });
  assert.deepEqual(
    JSON.parse(pages).map(({ fileId, detail, messages }: Page) => [
      fileId,
      detail,
      messages.map(({ number, role }) => `${number} ${role}`),
    ]),
    [
      ["file_only1", "base", ["1 user", "2 assistant"]],
      ["file_only2", "base", ["2 assistant", "3 user"]],
    ],
  );
  assert.deepEqual(rows("SELECT context_id, profile, forms FROM context_views"), [
    { context_id: "ctx_erased", profile: "deepseek-ocr", forms: '{"item_only":"base"}' },
  ]);
  const ids = (sql: string) => rows(sql).map(({ id }) => id);
  assert.deepEqual(ids("SELECT id FROM files ORDER BY id"), [
    "file_mine",
    "file_only1",
    "file_only2",
  ]);
  assert.deepEqual(ids("SELECT file_id AS id FROM erasures ORDER BY id"), [
    "file_kept",
    "file_source",
  ]);
  assert.deepEqual(ids("SELECT file_id AS id FROM results ORDER BY id"), [
    "file_mine",
    "file_only1",
  ]);
  assert.deepEqual(ids("SELECT id FROM contexts WHERE due_at = 0 ORDER BY id"), [
    "ctx_erased",
    "ctx_kept",
  ]);
});

type Page = { fileId: string; detail: string; messages: { number: number; role: string }[] };
