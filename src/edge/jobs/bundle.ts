/** Bundles the results of ended jobs: right after the end, and for what was interrupted by the sweep. */
import { waitUntil } from "cloudflare:workers";
import type { Env } from "../bindings.ts";
import { ENCODE } from "../domain/pages/models.ts";
import { settings } from "../settings.ts";
import {
  bundleName,
  jobsWithoutBundle,
  MAX_BUNDLED_PAGES,
  recordBundle,
  rememberBundle,
  unbundledJobsOf,
  writeBundle,
} from "../storage/bundles.ts";
import { bestEffort } from "../storage/fault.ts";
import { findJobById, type Job, type JobPage, jobPages } from "../storage/jobs.ts";
import { plainForm } from "./form.ts";

/**
 * Whether the result of an ended job is worth a bundle. Jobs in the background are read once and deleted; what has to be
 * erased after its delivery is not copied; the results of `encode` are deleted together with their tokens.
 */
export const isBundled = (job: Job) => job.finishedAt !== null && willBeBundled(job);

/** The same about a job that has not ended. */
export const willBeBundled = ({ background, zeroRetention, options }: Job) =>
  !background && !zeroRetention && options.task !== ENCODE;

/** Makes the bundle of an ended job and records it. Safe to repeat. @returns its name; empty if it has none */
export async function bundleJob(env: Env, job: Job, pages: JobPage[]): Promise<string> {
  const name = (isBundled(job) && (await bundleName(pages))) || "";
  const timeoutMs = settings(env).STORAGE_TIMEOUT_S * 1000;
  const made =
    name !== "" && (await writeBundle(env.BUCKET, job, name, pages, plainForm(env), timeoutMs));
  await recordBundle(env.DB, env.BUCKET, job, made ? name : "");
  if (made) rememberBundle(pages, name);
  return made ? name : "";
}

/** Makes bundles after the response. If that is interrupted, the sweep makes them. */
export function bundleSoon(work: Promise<unknown>, of: string): void {
  waitUntil(bestEffort(work, { bundles_of: of }));
}

/** Bundles the ended jobs of a document, because a worker has finished with it. */
export async function bundleJobsOf(env: Env, fileId: string): Promise<void> {
  await bundleAll(env, await unbundledJobsOf(env.DB, fileId));
}

/** Bundles jobs that ended before `before`. The next sweep continues. */
export async function bundleEnded(env: Env, before: number): Promise<void> {
  await bundleAll(env, await jobsWithoutBundle(env.DB, before, MAX_BUNDLED_PAGES));
}

async function bundleAll(env: Env, ids: string[]): Promise<void> {
  for (const id of ids) {
    const job = await findJobById(env.DB, id);
    // One that cannot be bundled now must not hold up the others.
    if (job) await bestEffort(bundleOne(env, job), { bundle_of: id });
  }
}

const bundleOne = async (env: Env, job: Job) => bundleJob(env, job, await jobPages(env.DB, job.id));
