/** Limits on new jobs: the key's pages of the month and open jobs, and the account's day. */
import type { Env } from "../bindings.ts";
import type { Caller } from "../context.ts";
import { pagesLeftToday } from "../dispatch/scheduler.ts";
import { secondsOfDayLeft } from "../domain/keys/day-limits.ts";
import type { Quota } from "../domain/keys/stored-key.ts";
import { Problem, type ProblemCode } from "../problem.ts";
import { openJobsOfKey, pagesThisMonth } from "../storage/quota.ts";

/** The problems of a key or an account that has reached a limit. */
export const ADMISSION = [
  "quota-exceeded",
  "budget-exceeded",
  "too-many-jobs",
] as const satisfies ProblemCode[];

/**
 * The last request of a month may exceed the limit: how many pages it has is not known yet.
 * @throws Problem `quota-exceeded`, `too-many-jobs`
 */
export async function checkQuota(db: D1Database, keyId: string, quota: Quota, now: number) {
  const { monthlyPages, concurrentJobs } = quota;
  if (monthlyPages !== null && (await pagesThisMonth(db, keyId, now)) >= monthlyPages)
    throw new Problem("quota-exceeded", `The key may have ${monthlyPages} pages read in a month.`);
  if (concurrentJobs !== null && (await openJobsOfKey(db, keyId)) >= concurrentJobs) {
    const detail = `The key may have ${concurrentJobs} jobs open at once.`;
    throw new Problem("too-many-jobs", detail, {}, { "retry-after": "5" });
  }
}

/** @throws Problem `budget-exceeded` if more pages are to be read than the day has left */
export function checkDay(pages: number, left: number | null, now: number): void {
  if (left === null || pages <= left) return;
  const detail = `${pages} pages are to be read, and ${left} are left today.`;
  const again = { "retry-after": String(secondsOfDayLeft(now)) };
  throw new Problem("budget-exceeded", detail, { pages_left: left }, again);
}

/** Checks both for a known number of pages. */
export async function admitPages(env: Env, caller: Caller, model: string, pages: number) {
  const now = Date.now();
  await checkQuota(env.DB, caller.keyId, caller.quota, now);
  checkDay(pages, await pagesLeftToday(env, caller.tenantId, model, caller.dayLimits), now);
}
