/** A page of a job in an address: `/v1/jobs/{id}/pages/{page}/…`. */
import { z } from "@hono/zod-openapi";
import { Problem } from "../../problem.ts";
import { findJob, jobPages } from "../../storage/jobs.ts";

export const pageParams = z.object({
  id: z.string(),
  page: z.coerce.number().int().min(1).openapi({ type: "integer", minimum: 1 }),
});

/** The tenant's job and its page. Throws the problem to answer with where there is none, or it is not read yet. */
export async function demandPage(
  db: D1Database,
  tenantId: string,
  { id, page: number }: z.infer<typeof pageParams>,
) {
  const job = await findJob(db, tenantId, id);
  if (!job) throw new Problem("not-found", "No such job.");
  const page = (await jobPages(db, job.id)).find(({ page }) => page === number);
  if (!page) throw new Problem("not-found", "The job has no such page.");
  if (page.state === "pending") throw new Problem("job-not-finished", "The page is not read yet.");
  return { job, page };
}
