/** The sweep deletes old jobs and logs, a bounded number at a time. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { pruneJobs, pruneLogs } from "../../../src/edge/storage/pruning.ts";
import { sweep } from "../../../src/edge/sweep.ts";
import { stores, violations } from "../invariants.ts";
import { CogStub, call, ended, env, json, newKey, post, upload } from "../support.ts";

const DAY = 86_400_000;
let cog: CogStub;
let key: string;
let stop: () => void;
beforeEach(async () => {
  cog = new CogStub().install();
  key = await newKey();
  stop = cog.work(2);
});
afterEach(async () => {
  stop();
  vi.restoreAllMocks();
  expect(await violations(stores(env))).toEqual([]);
});

/** A job of two pages that ended `days` ago. */
async function oldJob(file: string, days: number): Promise<string> {
  const { id } = await json(post("/v1/ocr", key, { file, dpi: 100 + Math.floor(days) }));
  await ended(key, id);
  await env.DB.batch([
    ...["created_at", "finished_at"].map((column) =>
      env.DB.prepare(`UPDATE jobs SET ${column} = ${column} - ? WHERE id = ?`).bind(days * DAY, id),
    ),
    ...["events", "deliveries"].map((table) =>
      env.DB.prepare(`UPDATE ${table} SET created_at = created_at - ? WHERE job_id = ?`).bind(
        days * DAY,
        id,
      ),
    ),
  ]);
  return id;
}

const rows = (table: string, job: string) =>
  env.DB.prepare(`SELECT count(*) AS n FROM ${table} WHERE job_id = ?`).bind(job).first("n");
const status = async (path: string) => (await call(path, { key })).status;

it("deletes a job 90 days after its end, with everything about it, but not its document", async () => {
  const file = await upload(key);
  await env.DB.prepare("UPDATE files SET created_at = created_at - ? WHERE id = ?")
    .bind(200 * DAY, file.id)
    .run();
  await call("/v1/settings", { method: "PATCH", key, body: { retention_days: 95 } });
  await post("/v1/webhooks/endpoints", key, { url: "https://hooks.io/all" });
  const [old, young] = [await oldJob(file.id, 91), await oldJob(file.id, 89)];
  await sweep(env);
  for (const path of ["", "/result", "/events", "/pages/1"])
    expect(await status(`/v1/jobs/${old}${path}`)).toBe(404);
  for (const table of ["job_pages", "events", "deliveries"]) expect(await rows(table, old)).toBe(0);
  expect(await status(`/v1/jobs/${young}/result`)).toBe(200);

  // The document's own time starts with its last use, although no job remembers it.
  await env.DB.prepare("UPDATE jobs SET finished_at = finished_at - ? WHERE id = ?")
    .bind(2 * DAY, young)
    .run();
  await sweep(env);
  expect(await status(`/v1/jobs/${young}`)).toBe(404);
  await sweep(env);
  expect(await status(`/v1/files/${file.id}`)).toBe(200);
  await env.DB.prepare("UPDATE files SET used_at = used_at - ? WHERE id = ?")
    .bind(7 * DAY, file.id)
    .run();
  await sweep(env);
  expect(await status(`/v1/files/${file.id}`)).toBe(404);
});

it("keeps jobs as long as the tenant wants", async () => {
  const file = await upload(key);
  const settings = await json(call("/v1/settings", { key }));
  expect(settings).toMatchObject({ job_retention_days: 90, retention_days: 30 });
  const change = (days: number | null) =>
    json(call("/v1/settings", { method: "PATCH", key, body: { job_retention_days: days } }));
  expect(await change(3)).toMatchObject({ job_retention_days: 3, retention_days: 30 });
  const [old, young] = [await oldJob(file.id, 4), await oldJob(file.id, 2)];
  await sweep(env);
  expect([await status(`/v1/jobs/${old}`), await status(`/v1/jobs/${young}`)]).toEqual([404, 200]);
  expect(await change(null)).toMatchObject({ job_retention_days: 90 });
});

it("deletes jobs in slices, oldest first, and none that is still needed", async () => {
  const file = await upload(key);
  const jobs: string[] = [];
  for (const days of [100, 99, 98, 97, 96]) jobs.push(await oldJob(file.id, days));
  const [a, b, c, line, erase] = jobs as [string, string, string, string, string];
  await env.DB.batch([
    env.DB.prepare("UPDATE jobs SET erase_at = ? WHERE id = ?").bind(Date.now() + DAY, erase),
    env.DB.prepare(
      `INSERT INTO batches (id, tenant_id, key_id, manifest, etag, bytes, defaults, metadata, state, created_at, driven_at,
         traceparent) SELECT 'batch_x', tenant_id, key_id, '', '', 0, '{}', '{}', 'paused', 0, 0, '' FROM jobs WHERE id = ?`,
    ).bind(line),
    env.DB.prepare(
      "INSERT INTO batch_lines (batch_id, line, state, job_id) VALUES ('batch_x', 1, 'settled', ?)",
    ).bind(line),
  ]);
  const left = async () => {
    const { results } = await env.DB.prepare("SELECT id FROM jobs ORDER BY id").all<{
      id: string;
    }>();
    const ids = new Set(results.map(({ id }) => id));
    return jobs.filter((id) => ids.has(id));
  };
  // Each has two pages and its own row: the second reaches the limit.
  expect((await pruneJobs(env.DB, 90, Date.now(), 4)).jobs).toBe(2);
  expect(await left()).toHaveLength(3);
  expect((await pruneJobs(env.DB, 90, Date.now(), 4)).jobs).toBe(1);
  expect(await left()).toEqual([line, erase]);
  expect((await pruneJobs(env.DB, 90, Date.now(), 4)).jobs).toBe(0);
  expect([a, b, c]).toHaveLength(3);
  await env.DB.batch([
    env.DB.prepare("DELETE FROM batches WHERE id = 'batch_x'"),
    env.DB.prepare("UPDATE jobs SET erase_at = NULL WHERE id = ?").bind(erase),
  ]);
});

it("deletes page events and finished deliveries after 30 days, in slices; the job's end stays", async () => {
  // What the tests before have left.
  await pruneLogs(env.DB, Date.now(), 1000);
  const file = await upload(key);
  await post("/v1/webhooks/endpoints", key, { url: "https://hooks.io/all" });
  const [old, young] = [await oldJob(file.id, 31), await oldJob(file.id, 29)];
  await env.DB.batch([
    env.DB.prepare("UPDATE deliveries SET state = 'delivered'"),
    env.DB.prepare(
      "INSERT OR IGNORE INTO delivery_attempts (delivery_id, attempt, at, duration_ms) SELECT id, 1, 0, 0 FROM deliveries",
    ),
  ]);
  const types = async (job: string) => {
    const { results } = await env.DB.prepare("SELECT type FROM events WHERE job_id = ? ORDER BY id")
      .bind(job)
      .all<{ type: string }>();
    return results.map(({ type }) => type);
  };
  await pruneLogs(env.DB, Date.now() - 30 * DAY, 1);
  expect(await types(old)).toEqual(["queued", "running", "page", "succeeded"]);
  expect([await rows("deliveries", old), await rows("deliveries", young)]).toEqual([0, 1]);
  await sweep(env);
  expect(await types(old)).toEqual(["queued", "running", "succeeded"]);
  expect(await types(young)).toEqual(["queued", "running", "page", "page", "succeeded"]);
  const stray = env.DB.prepare(
    "SELECT count(*) AS n FROM delivery_attempts WHERE delivery_id NOT IN (SELECT id FROM deliveries)",
  );
  expect(await stray.first("n")).toBe(0);
  expect(await status(`/v1/jobs/${old}/result`)).toBe(200);
});
