/** Maximum delay of a message in Cloudflare Queues. */
const MAX_DELAY_S = 12 * 3600;

/**
 * Seconds between a failed delivery and the next: `base`, then four times as long each time. With the
 * default of 5 s, nine attempts cover about 19 hours.
 * @param attempt number of the attempt that has just failed, from 1
 */
export function webhookBackoff(attempt: number, base: number): number {
  return Math.min(Math.ceil(base * 4 ** (attempt - 1)), MAX_DELAY_S);
}
