/** The migration that gives jobs in the background a flag: `batch_id` held the id of a context to mean that. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { findJobById, listJobs } from "../../../src/edge/storage/jobs.ts";
import { CogStub, env, json, newKey, post, upload } from "../support.ts";

const NAME = "0015_background_jobs.sql";
const CONTEXT = `ctx_${"0".repeat(24)}`;
const BATCH = `batch_${"0".repeat(24)}`;

beforeEach(() => void new CogStub().install());
afterEach(() => vi.restoreAllMocks());

const migrations = env.TEST_MIGRATIONS as { name: string; queries: string[] }[];
const migration = migrations.find(({ name }) => name === NAME)?.queries as string[];
const triggerBefore = migrations
  .filter(({ name }) => name < NAME)
  .flatMap(({ queries }) => queries)
  .findLast((sql) => sql.includes("CREATE TRIGGER page_completed")) as string;

/** Undoes the migration, and what later ones have built on its column. */
const undo = () =>
  env.DB.batch(
    [
      "DROP TRIGGER page_completed",
      "DROP TRIGGER job_deleted",
      "DROP TRIGGER document_deleted",
      "DROP INDEX jobs_without_bundle",
      "ALTER TABLE jobs DROP COLUMN background",
      triggerBefore,
    ].map((sql) => env.DB.prepare(sql)),
  );

it("keeps batches in `batch_id`, and takes contexts out of it", async () => {
  const key = await newKey();
  const { id: file } = await upload(key);
  const ids: string[] = [];
  for (const dpi of [100, 101, 102]) ids.push((await json(post("/v1/ocr", key, { file, dpi }))).id);
  const [plain, ofBatch, ofContext] = ids as [string, string, string];
  await undo();
  const set = env.DB.prepare("UPDATE jobs SET batch_id = ? WHERE id = ?");
  await env.DB.batch([set.bind(BATCH, ofBatch), set.bind(CONTEXT, ofContext)]);

  await env.DB.batch(migration.map((sql) => env.DB.prepare(sql)));

  const jobs = await Promise.all(ids.map((id) => findJobById(env.DB, id)));
  expect(jobs.map((job) => [job?.batchId, job?.background])).toEqual([
    [null, false],
    [BATCH, true],
    [null, true],
  ]);
  const listed = await listJobs(env.DB, jobs[0]?.tenantId ?? "", { before: null, limit: 10 });
  expect(listed.map(({ id }) => id)).toEqual([plain]);
});

it("tells no webhook of a page that is read in the background", async () => {
  const key = await newKey();
  const { id: file } = await upload(key);
  const endpoint = { url: "https://hooks.io/pages", events: ["page.completed"] };
  await post("/v1/webhooks/endpoints", key, endpoint);
  const told = async (background: number) => {
    const { id } = await json(post("/v1/ocr", key, { file }));
    await env.DB.batch([
      env.DB.prepare("UPDATE jobs SET background = ? WHERE id = ?").bind(background, id),
      env.DB.prepare(
        "INSERT INTO events (job_id, type, data, created_at) VALUES (?, 'page', '{}', 0)",
      ).bind(id),
    ]);
    return env.DB.prepare("SELECT count(*) AS n FROM deliveries WHERE job_id = ?")
      .bind(id)
      .first("n");
  };
  expect([await told(1), await told(0)]).toEqual([0, 1]);
});
