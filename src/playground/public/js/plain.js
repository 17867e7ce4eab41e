/** Numbers, times and states of jobs in plain words. */

/** @typedef {import("./api.js").Job} Job */

/** @param {number} n @param {string} noun in the singular @param {string} [plural] */
export const count = (n, noun, plural = `${noun}s`) =>
  `${n.toLocaleString("en")} ${n === 1 ? noun : plural}`;

/** @param {number} bytes */
export function size(bytes) {
  const kib = bytes / 1024;
  return kib < 1024
    ? `${Math.max(1, Math.round(kib)).toLocaleString("en")} KiB`
    : `${(kib / 1024).toFixed(1)} MiB`;
}

/** @param {number} ms */
export function duration(ms) {
  const seconds = ms / 1000;
  if (seconds < 0.1) return "less than 0.1 seconds";
  if (seconds < 10) return `${seconds.toFixed(1)} seconds`;
  if (seconds < 90) return `${Math.round(seconds)} seconds`;
  if (seconds < 90 * 60) return count(Math.round(seconds / 60), "minute");
  return count(Math.round(seconds / 3600), "hour");
}

/** @param {string} time ISO 8601 @param {number} [now] milliseconds */
export function ago(time, now = Date.now()) {
  const seconds = (now - Date.parse(time)) / 1000;
  if (seconds < 45) return "just now";
  if (seconds < 90 * 60) return `${count(Math.max(1, Math.round(seconds / 60)), "minute")} ago`;
  if (seconds < 36 * 3600) return `${count(Math.round(seconds / 3600), "hour")} ago`;
  return new Date(time).toLocaleDateString("en", { day: "numeric", month: "long" });
}

/** @type {Record<Job["state"], string>} */
const STATES = {
  queued: "Waiting",
  running: "Reading",
  succeeded: "Read",
  partial: "Partly read",
  failed: "Failed",
  canceled: "Canceled",
  expired: "Out of time",
};
/** @param {Job["state"]} state */
export const stateWord = (state) => STATES[state] ?? state;

const WAITING = {
  slot: "waiting for a free worker",
  worker: "a worker is opening the document",
  installation: "the model is being installed",
  cold_start: "a worker is starting, which takes longest for the first document",
  pool: "no worker responds; reading begins when one does",
};

/**
 * Why no page of an open job has been read yet.
 * @param {Job} job
 * @param {number} before documents of the same account that were sent earlier and are still open
 */
export function waitingWords({ state, waiting_for: why }, before) {
  const reason = why ? WAITING[why] : state === "queued" ? WAITING.slot : "a worker is reading";
  if (before === 0 || why === "worker" || why === "cold_start") return reason;
  const are = before === 1 ? "is" : "are";
  return `${reason}; ${count(before, "of your other documents", "of your other documents")} ${are} before it`;
}

/** @param {Job} job @param {number} read pages with a result or an error @param {boolean} cached whether all are from the cache */
export function endWords(job, read, cached) {
  const { total } = job.progress;
  const of = total === null || total === read ? "" : ` of ${total}`;
  const ms = Date.parse(job.finished_at ?? job.created_at) - Date.parse(job.created_at);
  const how = cached ? "from the cache" : `in ${duration(ms)}`;
  const pages = total !== null && of ? `${read}${of} pages` : count(read, "page");
  return read > 0 ? `${stateWord(job.state)}: ${pages}, ${how}.` : `${stateWord(job.state)}.`;
}
