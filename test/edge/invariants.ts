/**
 * What must hold in D1 and R2 at any moment, as SQL over the tables and a comparison with the stored objects. Tests of
 * the edge call `violations(stores(env))`; a bench outside workerd passes its own `Stores` over the same SQLite files.
 *
 * Each query returns the ids of rows that break its rule. `?1` is a time: things that are older than this must be
 * complete, younger ones may still be between two steps.
 */

type Row = Record<string, string | number | null>;

/** Access to the stores. `keys` yields the paths of all objects below a prefix. */
export interface Stores {
  query(sql: string, parameters: (string | number)[]): Promise<Row[]>;
  keys(prefix: string): Promise<string[]>;
}

/** A violated rule and an id that breaks it. */
export interface Violation {
  rule: string;
  id: string;
}

const LIVE = "('queued', 'running')";
const WAITING = "p.page_key = f.page_key AND p.state = 'pending'";
/** Whether the flight `f` is assigned to a shard that a driver advances, or was made a moment ago. */
const DRIVEN = `(EXISTS (SELECT 1 FROM shards s WHERE s.id = f.shard_id AND s.state IN ${LIVE})
  OR (f.shard_id IS NULL AND f.created_at >= ?1))`;
const count = (state: string) =>
  `(SELECT count(*) FROM pages_of_jobs p WHERE p.job_id = j.id AND p.state = '${state}')`;

/** Rules over D1 alone. */
const RULES: Record<string, string> = {
  "an open job ends by its deadline":
    "SELECT id FROM jobs WHERE finished_at IS NULL AND deadline_at < ?1",
  "something drives an open job": `SELECT j.id FROM jobs j WHERE j.finished_at IS NULL AND j.created_at < ?1
     AND NOT EXISTS (SELECT 1 FROM job_pages p JOIN flights f ON f.page_key = p.page_key
       WHERE p.job_id = j.id AND p.state = 'pending' AND ${DRIVEN})
     AND NOT (j.planned = 0 AND EXISTS
       (SELECT 1 FROM shards s WHERE s.file_id = j.file_id AND s.state IN ${LIVE}))`,
  "the document of an open job exists": `SELECT id FROM jobs j WHERE j.finished_at IS NULL
     AND NOT EXISTS (SELECT 1 FROM files WHERE id = j.file_id)`,
  "a job's counters are those of its pages": `SELECT id FROM jobs j
     WHERE total <> (SELECT count(*) FROM pages_of_jobs p WHERE p.job_id = j.id)
       OR done <> ${count("done")} OR failed <> ${count("failed")}
       OR total <> done + failed + ${count("pending")} + ${count("canceled")}`,
  "a planned job with no page left has ended":
    "SELECT id FROM jobs WHERE finished_at IS NULL AND planned = 1 AND done + failed = total",
  "an ended job has no pending page": `SELECT id FROM jobs j WHERE finished_at IS NOT NULL AND ${count("pending")} > 0`,
  "an open job has no canceled page": `SELECT id FROM jobs j WHERE finished_at IS NULL AND ${count("canceled")} > 0`,
  "a pending page has a flight": `SELECT p.job_id || '/' || p.page AS id FROM job_pages p WHERE p.state = 'pending'
     AND NOT EXISTS (SELECT 1 FROM flights f WHERE f.page_key = p.page_key)`,
  "a flight is driven": `SELECT page_key AS id FROM flights f WHERE NOT ${DRIVEN}`,
  "the document of a flight exists": `SELECT f.page_key AS id FROM flights f JOIN jobs j ON j.id = f.job_id
     WHERE NOT EXISTS (SELECT 1 FROM files WHERE id = j.file_id)`,
  "a flight is for the pages that wait for it, or counts the pages of a document": `SELECT f.page_key AS id
     FROM flights f LEFT JOIN jobs j ON j.id = f.job_id
     WHERE NOT EXISTS (SELECT 1 FROM job_pages p WHERE ${WAITING}) AND (j.id IS NULL OR j.planned = 1)`,
  "exactly one of the pages that wait for a flight is billed": `SELECT f.page_key AS id FROM flights f
     WHERE EXISTS (SELECT 1 FROM job_pages p WHERE ${WAITING}) AND 1 <>
       (SELECT count(*) FROM job_pages p WHERE ${WAITING} AND p.source = 'read' AND p.job_id = f.job_id)`,
  "a page is billed once for each reading": `SELECT r.page_key AS id FROM results r WHERE r.readings <
     (SELECT count(*) FROM job_pages p WHERE p.page_key = r.page_key AND p.model_digest = r.model_digest
        AND p.state = 'done' AND p.source = 'read')`,
  "the document of an open shard exists": `SELECT id FROM shards s WHERE s.state IN ${LIVE}
     AND NOT EXISTS (SELECT 1 FROM files WHERE id = s.file_id)`,
  "the document of a result exists": `SELECT page_key AS id FROM results r
     WHERE NOT EXISTS (SELECT 1 FROM files WHERE id = r.file_id)`,
  "the document of kept tokens exists": `SELECT id FROM kept_tokens t
     WHERE NOT EXISTS (SELECT 1 FROM files WHERE id = t.file_id)`,
  "a stored answer is gone with its document": `SELECT scope || '/' || key AS id FROM idempotency i
     WHERE file_id IS NOT NULL AND status <> 410 AND NOT EXISTS (SELECT 1 FROM files WHERE id = i.file_id)`,
  "only the result of an ended job is bundled, and none that is to be erased": `SELECT id FROM jobs WHERE bundle <> ''
     AND (finished_at IS NULL OR zero_retention = 1 OR background = 1)`,
  "the job and the document of an extraction exist": `SELECT id FROM extractions e
     WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE id = e.job_id) OR NOT EXISTS (SELECT 1 FROM files WHERE id = e.file_id)`,
  "what an ended extraction was asked is forgotten":
    "SELECT id FROM extractions WHERE finished_at IS NOT NULL AND request IS NOT NULL",
  "an erasure is on time": "SELECT file_id AS id FROM erasures WHERE due_at < ?1",
};

/** Usage counts the pages that remaining jobs show. It is equal if no job was deleted. */
const BILLED = ["read", "shared", "hit"].map(
  (
    source,
  ) => `SELECT j.tenant_id || ' ${source}' AS id FROM jobs j JOIN pages_of_jobs p ON p.job_id = j.id
     AND p.state = 'done' AND p.source = '${source}' GROUP BY j.tenant_id
     HAVING count(*) COMPARE COALESCE((SELECT sum(pages_${source === "hit" ? "cached" : source}) FROM usage u
       WHERE u.tenant_id = j.tenant_id), 0)`,
);

/** Rows that promise an object. A context writes the record of its document before the bytes. */
const PROMISES = `SELECT 'files/' || tenant_id || '/' || id AS path FROM files WHERE context_id IS NULL OR created_at < ?1
  UNION ALL SELECT 'results/' || tenant_id || '/' || file_id || '/' || page_key || '/' || substr(model_digest, 8) || '.json'
    FROM results
  UNION ALL SELECT 'results/' || tenant_id || '/' || file_id || '/' || token_key || '/' || substr(model_digest, 8)
    || '.safetensors' FROM kept_tokens
  UNION ALL SELECT 'results/' || tenant_id || '/' || file_id || '/extractions/' || id || '/data.json' FROM extractions
    WHERE state = 'succeeded'
  UNION ALL SELECT 'results/' || j.tenant_id || '/' || j.file_id || '/bundles/' || j.bundle || e.value FROM jobs j
    JOIN files f ON f.id = j.file_id JOIN json_each('[".jsonl", ".json"]') e WHERE j.bundle <> ''`;

/** Documents that may have objects: those that exist, are being stored, or are being erased. */
const OWNERS = `SELECT tenant_id || '/' || id AS owner FROM files
  UNION SELECT tenant_id || '/' || file_id FROM erasures
  UNION SELECT tenant_id || '/' || file_id FROM uploads WHERE state IN ('open', 'checking')`;

async function answerPath(scope: string, key: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
  const digits = [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0"));
  return `idempotency/${scope}/${digits.join("")}`;
}

/**
 * @param graceMs age from which things must be complete
 * @param allJobsKept whether no job was ever deleted, so that usage and jobs must agree exactly
 * @returns every broken rule; an empty list if all is well
 */
export async function violations(
  stores: Stores,
  { graceMs = 120_000, allJobsKept = false, now = Date.now() } = {},
): Promise<Violation[]> {
  const before = now - graceMs;
  const found: Violation[] = [];
  const check = async (rule: string, sql: string) => {
    for (const { id } of await stores.query(sql, sql.includes("?1") ? [before] : []))
      found.push({ rule, id: String(id) });
  };
  for (const [rule, sql] of Object.entries(RULES)) await check(rule, sql);
  for (const sql of BILLED)
    await check(
      "usage counts the pages of the jobs",
      sql.replace("COMPARE", allJobsKept ? "<>" : ">"),
    );

  // Rows before objects: an object that is stored in between has no row in the list, but its owner has.
  const promised = await stores.query(PROMISES, [before]);
  const answers = await stores.query("SELECT scope, key, status, file_id FROM idempotency", []);
  const objects = new Set<string>();
  for (const prefix of ["files/", "results/", "idempotency/"])
    for (const key of await stores.keys(prefix)) objects.add(key);
  const owners = new Set((await stores.query(OWNERS, [])).map(({ owner }) => owner));
  const kept = new Set<string>();
  for (const { scope, key, status, file_id } of answers) {
    const path = await answerPath(String(scope), String(key));
    // Status 410 with a document: the body is being erased.
    if (status !== 410 || file_id !== null) kept.add(path);
    if (status !== null && status !== 410 && !objects.has(path))
      found.push({ rule: "a stored answer has its body", id: path });
  }
  for (const { path } of promised)
    if (!objects.has(String(path))) found.push({ rule: "a row has its object", id: String(path) });
  for (const object of objects) {
    const [kind, tenant, file] = object.split("/");
    const owned = kind === "idempotency" ? kept.has(object) : owners.has(`${tenant}/${file}`);
    if (!owned) found.push({ rule: "an object has its row", id: object });
  }
  return found;
}

/** The stores of the edge's bindings. */
export function stores(env: { DB: D1Database; BUCKET: R2Bucket }): Stores {
  return {
    async query(sql, parameters) {
      const { results } = await env.DB.prepare(sql)
        .bind(...parameters)
        .all<Row>();
      return results;
    },
    async keys(prefix) {
      const found: string[] = [];
      for (let cursor: string | undefined; ; ) {
        const page = await env.BUCKET.list({ prefix, ...(cursor && { cursor }) });
        found.push(...page.objects.map(({ key }) => key));
        if (!page.truncated) return found;
        cursor = page.cursor;
      }
    },
  };
}
