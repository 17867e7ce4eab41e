/** The states of a task and of its documents, as docling-serve names them. */
import { isOver, type JobState } from "../jobs/job.ts";

interface JobProgress {
  state: JobState;
  done: number;
}

export type DocumentStatus = "pending" | "started" | "success" | "partial_success" | "failure";

/** A document whose every page failed is a failure; one with some pages is a partial success. */
export function documentStatus({ state, done }: JobProgress): DocumentStatus {
  if (!isOver(state)) return state === "queued" ? "pending" : "started";
  if (state === "succeeded") return "success";
  return done > 0 ? "partial_success" : "failure";
}

/**
 * A task has ended when its documents have. It has failed if it has nothing to give: an archive without a document. The
 * failure of a single document is part of its result.
 */
export function taskStatus(
  jobs: JobProgress[],
  target: "inbody" | "zip",
): "pending" | "started" | "success" | "failure" {
  const statuses = jobs.map(documentStatus);
  if (statuses.every((status) => status === "pending")) return "pending";
  if (!jobs.every(({ state }) => isOver(state))) return "started";
  return isArchive(jobs, target) && statuses.every((status) => status === "failure")
    ? "failure"
    : "success";
}

/** Whether the answer is an archive: several documents do not fit into one body. */
export const isArchive = (jobs: unknown[], target: "inbody" | "zip") =>
  target === "zip" || jobs.length > 1;

export function taskMeta(jobs: JobProgress[]) {
  const statuses = jobs.map(documentStatus);
  const count = (wanted: DocumentStatus) => statuses.filter((status) => status === wanted).length;
  return {
    num_docs: jobs.length,
    num_processed: jobs.filter(({ state }) => isOver(state)).length,
    num_succeeded: count("success"),
    num_partially_succeeded: count("partial_success"),
    num_failed: count("failure"),
  };
}
