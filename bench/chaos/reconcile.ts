/**
 * Compares the service's books with what its customers remember, when everything has come to rest. The books are its
 * database and its bucket; every rule below holds after any fault.
 */
import { type Stores, violations as storedViolations } from "../../test/edge/invariants.ts";
import { type Client, isOpen, type JobView, type Violation } from "./client.ts";
import type { Receipt } from "./receiver.ts";

export interface Books {
  sql<T>(query: string, parameters?: (string | number)[]): Promise<T[]>;
  /** Keys of all objects in the bucket. */
  objects(): Promise<string[]>;
}

export interface Totals {
  jobs: number;
  pages: number;
  /** Pages that failed because every attempt's worker or process was killed: accounted for, but not read. */
  lostPages: number;
  deliveries: number;
}

interface JobRow {
  id: string;
  tenant: string;
  state: string;
  file_id: string;
  planned: number;
  total: number;
  done: number;
  failed: number;
  error: string | null;
  webhook_url: string | null;
  finished_at: number | null;
  document: string | null;
  key: string | null;
}

interface PageRow {
  job_id: string;
  page: number;
  page_key: string;
  state: string;
  source: string;
  error: string | null;
}

/**
 * Checks everything that belongs to the clients' tenants, and that nothing else is left over.
 * @param now the edge's time
 */
export async function reconcile(
  books: Books,
  clients: Client[],
  receipts: Receipt[],
  now: number,
): Promise<{ violations: Violation[]; totals: Totals }> {
  const violations: Violation[] = [];
  const violate = (rule: string, detail: string) => violations.push({ rule, detail });
  const tenants = clients.map(({ tenant }) => `'${tenant}'`).join(", ");
  const ours = `FROM jobs j JOIN tenants t ON t.id = j.tenant_id AND t.name IN (${tenants})`;
  const jobs = await books.sql<JobRow>(
    `SELECT j.id, t.name AS tenant, j.state, file_id, planned, total, done, failed, error, webhook_url, finished_at,
       metadata ->> 'document' AS document, metadata ->> 'key' AS key ${ours}`,
  );
  const pages = Map.groupBy(
    await books.sql<PageRow>(
      `SELECT job_id, page, page_key, p.state, source, p.error ${ours} JOIN pages_of_jobs p ON p.job_id = j.id`,
    ),
    ({ job_id }) => job_id,
  );
  const files = new Set(
    (await books.sql<{ id: string }>("SELECT id FROM files")).map(({ id }) => id),
  );
  const byId = new Map(jobs.map((job) => [job.id, job]));
  const totals: Totals = { jobs: jobs.length, pages: 0, lostPages: 0, deliveries: 0 };

  for (const client of clients) {
    for (const id of client.jobs.keys())
      if (!byId.has(id) && !client.deleted.has(id)) violate("an accepted job is gone", id);
    const mine = jobs.filter(({ tenant }) => tenant === client.tenant);
    for (const [key, same] of Map.groupBy(mine, ({ key }) => key))
      if (key && same.length > 1)
        violate("an Idempotency-Key makes two jobs", `${key}: ${same.map(({ id }) => id)}`);
    for (const job of mine)
      accountForPages(job, pages.get(job.id) ?? [], client, files, totals, violate);
  }
  await checkPayment(books, clients, jobs, pages, violate);
  await checkStores(books, now, violate);
  await checkWebhooks(books, clients, jobs, receipts, totals, violate);
  for (const client of clients) {
    await checkListing(client, byId, violate);
    await checkResults(client, byId, pages, files, violate);
  }
  const [first, second] = clients;
  if (first && second) {
    await checkStrangers(first, second, byId, violate);
    await checkStrangers(second, first, byId, violate);
  }
  return { violations, totals };
}

type Violate = (rule: string, detail: string) => void;

/** Every page of the job is done, failed with a reason, or canceled, and counted once. */
function accountForPages(
  job: JobRow,
  pages: PageRow[],
  client: Client,
  files: Set<string>,
  totals: Totals,
  violate: Violate,
): void {
  const where = `${job.id} (${job.state})`;
  if (job.finished_at === null) {
    violate("a job is stuck", where);
    return;
  }
  if (job.state === "expired") violate("a job ends only by its deadline", where);
  const count = (state: string) => pages.filter((page) => page.state === state).length;
  totals.pages += pages.length;
  if (count("pending") > 0) violate("a page of an ended job is pending", where);
  if (count("done") !== job.done || count("failed") !== job.failed)
    violate(
      "a job's counters are wrong",
      `${where}: ${count("done")}/${job.done} ${count("failed")}/${job.failed}`,
    );
  const ended = ["succeeded", "partial", "failed"].includes(job.state);
  if (ended && pages.length !== job.total) violate("a job's counters are wrong", `${where}: total`);
  const document = client.jobs.get(job.id)?.document;
  for (const page of pages) {
    if (page.state !== "failed") continue;
    if (page.error === null) violate("a failed page has no reason", `${where} page ${page.page}`);
    const { code } = JSON.parse(page.error ?? "{}") as { code?: string };
    if (code === "worker_lost" || code === "process_killed") totals.lostPages++;
    else if (
      document &&
      !document.broken &&
      document.badPage !== page.page &&
      files.has(job.file_id)
    )
      violate("an innocent page fails", `${where} page ${page.page}: ${page.error}`);
  }
  if (!ended || !document || document.pages === null || document.broken) return;
  if (pages.length !== document.pages && job.error === null)
    violate("a page is missing", `${where}: ${pages.length} of ${document.pages}`);
}

/** A page that was read is paid exactly once, and what is paid equals what the jobs show. */
async function checkPayment(
  books: Books,
  clients: Client[],
  jobs: JobRow[],
  pages: Map<string, PageRow[]>,
  violate: Violate,
): Promise<void> {
  const usage = await books.sql<Record<"read" | "shared" | "cached", number> & { tenant: string }>(
    `SELECT t.name AS tenant, sum(pages_read) AS read, sum(pages_shared) AS shared, sum(pages_cached) AS cached
     FROM usage u JOIN tenants t ON t.id = u.tenant_id GROUP BY t.name`,
  );
  const results = await books.sql<{ page_key: string; page: number; file_id: string }>(
    "SELECT page_key, page, file_id FROM results",
  );
  for (const client of clients) {
    const mine = jobs.filter(({ tenant }) => tenant === client.tenant);
    const gone = [...client.deleted.values()].filter(
      ({ id }) => !mine.some((job) => job.id === id),
    );
    const shown = { read: 0, shared: 0, cached: 0 };
    const paid = new Map<string, { times: number; document: string }>();
    const paidPages = new Set<string>();
    for (const job of mine)
      for (const { state, source, page_key, page } of pages.get(job.id) ?? []) {
        if (state !== "done") continue;
        shown[source === "hit" ? "cached" : (source as "read" | "shared")]++;
        if (source !== "read") continue;
        const times = (paid.get(page_key)?.times ?? 0) + 1;
        paid.set(page_key, { times, document: job.document ?? "" });
        paidPages.add(`${job.file_id} ${page}`);
      }
    for (const job of gone)
      for (const { state, source, page } of job.pages) {
        if (state !== "done") continue;
        shown[source === "hit" ? "cached" : (source as "read" | "shared")]++;
        if (source === "read") paidPages.add(`${job.file_id} ${page}`);
      }
    const billed = usage.find(({ tenant }) => tenant === client.tenant);
    for (const kind of ["read", "shared", "cached"] as const)
      if ((billed?.[kind] ?? 0) !== shown[kind])
        violate(
          "usage differs from the jobs",
          `${client.tenant}: ${billed?.[kind] ?? 0} pages ${kind} billed, ${shown[kind]} in jobs`,
        );
    for (const [key, { times, document }] of paid)
      if (times > 1 + (client.extraReadings.get(document) ?? 0))
        violate("a page is paid twice", `${client.tenant}: ${document} ${key} ${times} times`);
    const own = new Set(mine.map(({ file_id }) => file_id));
    for (const { page_key, page, file_id } of results)
      if (own.has(file_id) && !paid.has(page_key) && !paidPages.has(`${file_id} ${page}`))
        violate("a page is read for free", `${client.tenant}: ${file_id} page ${page}`);
  }
}

/** What must hold in database and bucket at any moment (test/edge/invariants.ts). */
async function checkStores(books: Books, now: number, violate: Violate): Promise<void> {
  const objects = await books.objects();
  const stores: Stores = {
    query: (sql, parameters) => books.sql(sql, parameters),
    keys: async (prefix) => objects.filter((key) => key.startsWith(prefix)),
  };
  for (const { rule, id } of await storedViolations(stores, { now })) violate(`not: ${rule}`, id);
}

/** Each job with a webhook has one delivery, which ended as the receiver saw it, signed with the tenant's secret. */
async function checkWebhooks(
  books: Books,
  clients: Client[],
  jobs: JobRow[],
  receipts: Receipt[],
  totals: Totals,
  violate: Violate,
): Promise<void> {
  const deliveries = Map.groupBy(
    await books.sql<{ id: string; job_id: string; state: string }>(
      "SELECT id, job_id, state FROM deliveries WHERE job_id IS NOT NULL",
    ),
    ({ job_id }) => job_id,
  );
  const seen = Map.groupBy(receipts, ({ jobId }) => jobId);
  const tenants = new Set(clients.map(({ tenant }) => tenant));
  for (const job of jobs) {
    if (job.webhook_url === null || job.finished_at === null || !tenants.has(job.tenant)) continue;
    const own = deliveries.get(job.id) ?? [];
    totals.deliveries += own.length;
    if (own.length !== 1) violate("a job has not one webhook", `${job.id}: ${own.length}`);
    const got = seen.get(job.id) ?? [];
    for (const { id, state } of own) {
      const arrived = got.some((receipt) => receipt.id === id && receipt.answered === 204);
      if (state === "pending") violate("a webhook is not delivered", `${id} of ${job.id}`);
      if (arrived !== (state === "delivered") && state !== "pending")
        violate(
          "the log of a webhook is wrong",
          `${id}: ${state}, ${got.length} requests, ${arrived ? "" : "never "}accepted`,
        );
    }
    for (const { id, tenant, signed, type } of got) {
      if (tenant !== job.tenant) violate("a webhook goes to a stranger", id);
      if (!signed) violate("a webhook is not signed by its tenant's secret", id);
      if (type !== `job.${job.state}`)
        violate("a webhook says something else", `${id}: ${type}, ${job.state}`);
      if (!own.some((delivery) => delivery.id === id))
        violate("a webhook is not in the log", `${id} of ${job.id}`);
    }
  }
}

/** The job list of a tenant has all of its jobs and none of others; so has the list of files. */
async function checkListing(
  client: Client,
  jobs: Map<string, JobRow>,
  violate: Violate,
): Promise<void> {
  const listed = new Set<string>();
  for (let cursor = ""; ; ) {
    const answer = await client.request(`/v1/jobs?limit=100${cursor}`);
    if (answer?.status !== 200)
      return violate("the list of jobs cannot be read", `${answer?.status}`);
    for (const { id } of answer.body.data as JobView[]) listed.add(id);
    if (!answer.body.next_cursor) break;
    cursor = `&cursor=${answer.body.next_cursor}`;
  }
  for (const [id, { tenant }] of jobs) {
    if (tenant === client.tenant && !listed.has(id)) violate("a job is not listed", id);
    if (tenant !== client.tenant && listed.has(id)) violate("a stranger's job is listed", id);
  }
}

/** The result of a job is the text of its own document, page by page. */
async function checkResults(
  client: Client,
  jobs: Map<string, JobRow>,
  pages: Map<string, PageRow[]>,
  files: Set<string>,
  violate: Violate,
): Promise<void> {
  for (const { id, document } of client.jobs.values()) {
    const job = jobs.get(id);
    if (!job || isOpen(job.state) || job.done === 0 || !files.has(job.file_id)) continue;
    const answer = await client.request(`/v1/jobs/${id}/result?format=json`);
    if (answer?.status !== 200) {
      violate("a result cannot be read", `${id} (${job.state}): ${answer?.status}`);
      continue;
    }
    const got = new Map(
      (answer.body.pages as { page: number; markdown?: string }[]).map((page) => [page.page, page]),
    );
    for (const { page, state } of pages.get(id) ?? []) {
      if (state !== "done") continue;
      const text = got.get(page)?.markdown;
      if (text === undefined) violate("a page is not in the result", `${id} page ${page}`);
      else if (!text.includes(`${document.owner} ${document.id} `))
        violate("a result is of another document", `${id} page ${page}: ${text.slice(0, 80)}`);
    }
  }
}

const STRANGERS = 5;

/** Nothing of one tenant is visible to another. */
async function checkStrangers(
  client: Client,
  other: Client,
  jobs: Map<string, JobRow>,
  violate: Violate,
): Promise<void> {
  const some = [...other.jobs.values()].filter(({ id }) => jobs.has(id)).slice(-STRANGERS);
  for (const { id, fileId } of some)
    for (const path of [
      `/v1/jobs/${id}`,
      `/v1/jobs/${id}/result`,
      `/v1/jobs/${id}/deliveries`,
      `/v1/files/${fileId}`,
    ]) {
      const answer = await client.request(path);
      if (answer?.status !== 404) violate("a stranger sees something", `${path} ${answer?.status}`);
    }
}
