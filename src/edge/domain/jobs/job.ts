/** Job states and the one rule of how a job ends. Terminal states are sticky: nothing leaves them. */
export const JOB_STATES = [
  "queued",
  "running",
  "succeeded",
  "partial",
  "failed",
  "canceled",
  "expired",
] as const;
export type JobState = (typeof JOB_STATES)[number];

export const OPEN_STATES = ["queued", "running"] as const satisfies readonly JobState[];

export const isOver = (state: JobState) => !(OPEN_STATES as readonly JobState[]).includes(state);

/** SQL for the state in which a job ends, when each of its pages is done or failed. */
export const END_STATE_SQL =
  "CASE WHEN failed = 0 THEN 'succeeded' WHEN done = 0 THEN 'failed' ELSE 'partial' END";

/**
 * `Cache-Status` (RFC 9211) of a job's pages. `hit`: all came from the cache; `fwd=partial`: some;
 * `collapsed`: the rest is being read for another request; `fwd=request`: the client asked for a fresh reading.
 * @param fromTokens pages of those that were read from kept vision tokens: a cache behind the other, so it comes first
 */
export function cacheStatus(
  pages: { hit: number; shared: number; read: number },
  cache: "use" | "refresh" | "only",
  fromTokens = 0,
): string {
  const tokens = fromTokens > 0 ? `fovea-tokens; hit; detail="pages=${fromTokens}", ` : "";
  if (pages.shared + pages.read === 0) return "fovea; hit";
  const reason = cache === "refresh" ? "request" : pages.hit > 0 ? "partial" : "miss";
  const collapsed = pages.read === 0 ? "; collapsed" : "";
  const { hit, shared, read } = pages;
  return `${tokens}fovea; fwd=${reason}${collapsed}; detail="hit=${hit} shared=${shared} read=${read}"`;
}
