/** Limits on new jobs: the key's pages of the month and open jobs, and the account's day. */
import type { Env } from "../bindings.ts";
import type { Caller } from "../context.ts";
import { pagesLeftToday } from "../dispatch/scheduler.ts";
import { secondsOfDayLeft } from "../domain/keys/day-limits.ts";
import { Problem, type ProblemCode } from "../problem.ts";
import type { Allowance, Refused } from "../storage/new-jobs.ts";

/** The problems of a key or an account that has reached a limit. */
export const ADMISSION = [
  "quota-exceeded",
  "budget-exceeded",
  "too-many-jobs",
] as const satisfies ProblemCode[];

export const NOT_LIMITED: Allowance = { monthlyPages: null, concurrentJobs: null, uncached: null };

/** The problem for a job that was not inserted. */
export function refused({ refusal, uncached }: Refused, allowance: Allowance): Problem {
  const { monthlyPages, concurrentJobs } = allowance;
  switch (refusal) {
    case "document":
      return new Problem("not-found", "No such file.");
    case "uncached":
      return overDay(uncached, allowance.uncached as number, Date.now());
    case "pages":
      return new Problem(
        "quota-exceeded",
        `The key may have ${monthlyPages} pages read in a month.`,
      );
    case "jobs": {
      const detail = `The key may have ${concurrentJobs} jobs open at once.`;
      return new Problem("too-many-jobs", detail, {}, { "retry-after": "5" });
    }
  }
}

/**
 * A courtesy: the scheduler, which counts the pages as it dispatches them, holds the limit, and parallel requests that
 * pass here together have their surplus pages fail with `budget_exceeded`.
 * @throws Problem `budget-exceeded` if more pages are to be read than the day has left
 */
export function checkDay(pages: number, left: number | null, now: number): void {
  if (left !== null && pages > left) throw overDay(pages, left, now);
}

function overDay(pages: number, left: number, now: number): Problem {
  const detail = `${pages} pages are to be read, and ${left} are left today.`;
  const again = { "retry-after": String(secondsOfDayLeft(now)) };
  return new Problem("budget-exceeded", detail, { pages_left: left }, again);
}

/** Checks the account's day for a known number of pages. */
export async function admitPages(env: Env, caller: Caller, model: string, pages: number) {
  const left = await pagesLeftToday(env, caller.tenantId, model, caller.dayLimits);
  checkDay(pages, left, Date.now());
}
