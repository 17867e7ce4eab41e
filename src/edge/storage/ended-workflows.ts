/** Instances of Workflows that have ended and are to be deleted by the sweep. */

export type WorkflowName = "SHARDS" | "UPLOADS" | "EXTRACTIONS" | "OUTPUTS";

export async function workflowEnded(
  db: D1Database,
  workflow: WorkflowName,
  id: string,
  now: number,
): Promise<void> {
  await db
    .prepare("INSERT OR IGNORE INTO ended_workflows (id, workflow, ended_at) VALUES (?, ?, ?)")
    .bind(id, workflow, now)
    .run();
}

/** Ids of instances that ended before a time. */
export async function endedWorkflows(
  db: D1Database,
  workflow: WorkflowName,
  before: number,
  limit: number,
): Promise<string[]> {
  const { results } = await db
    .prepare("SELECT id FROM ended_workflows WHERE workflow = ? AND ended_at < ? LIMIT ?")
    .bind(workflow, before, limit)
    .all<{ id: string }>();
  return results.map(({ id }) => id);
}

export async function forgetWorkflows(db: D1Database, ids: string[]): Promise<void> {
  await db
    .prepare("DELETE FROM ended_workflows WHERE id IN (SELECT value FROM json_each(?))")
    .bind(JSON.stringify(ids))
    .run();
}
