/** Attempts of a delivery until it fails. */
export const MAX_ATTEMPTS = 9;
const MAX_DELAY_S = 12 * 3600;

/**
 * Seconds between a failed attempt and the next: `base`, then four times as long each time. With the
 * default of 5 s, nine attempts cover about 19 hours.
 * @param failures failed attempts so far, from 1
 * @returns `null` after the last attempt
 */
export function webhookBackoff(failures: number, base: number): number | null {
  if (failures >= MAX_ATTEMPTS) return null;
  return Math.min(Math.ceil(base * 4 ** (failures - 1)), MAX_DELAY_S);
}
