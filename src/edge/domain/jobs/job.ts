/** Job states, and the state in which a job ends. An ended job stays ended. */
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

/** The state in which a job ends when all its pages are done or failed, in SQL. */
export const END_STATE_SQL =
  "CASE WHEN failed = 0 THEN 'succeeded' WHEN done = 0 THEN 'failed' ELSE 'partial' END";

/**
 * `Cache-Status` (RFC 9211) of a job's pages. `hit`: all pages came from the cache; `fwd=partial`: some did;
 * `collapsed`: the rest is being read for another request; `fwd=request`: the client asked for a fresh reading.
 * @param pages their sources
 * @param fromTokens pages that were read from kept vision tokens. That cache is nearer to the origin, so RFC 9211
 *   lists it first
 */
export function cacheStatus(
  pages: { source: "hit" | "shared" | "read" }[],
  cache: "use" | "refresh" | "only",
  fromTokens = 0,
): string {
  const tokens = fromTokens > 0 ? `fovea-tokens; hit; detail="pages=${fromTokens}", ` : "";
  const count = (source: string) => pages.filter((page) => page.source === source).length;
  const [hit, shared, read] = [count("hit"), count("shared"), count("read")];
  if (shared + read === 0) return "fovea; hit";
  const reason = cache === "refresh" ? "request" : hit > 0 ? "partial" : "miss";
  const collapsed = read === 0 ? "; collapsed" : "";
  return `${tokens}fovea; fwd=${reason}${collapsed}; detail="hit=${hit} shared=${shared} read=${read}"`;
}
