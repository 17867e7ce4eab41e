/**
 * Daily page and spending limits of a tenant (UTC). Pages from the cache cost nothing. Money is counted in
 * whole millionths of a dollar, so that sums are exact.
 */
export interface DayLimits {
  /** `null`: no limit. */
  pages: number | null;
  usd: number | null;
}

export interface Spent {
  pages: number;
  micros: number;
}

export const NO_LIMITS: DayLimits = { pages: null, usd: null };
export const NOTHING: Spent = { pages: 0, micros: 0 };

const MICROS = 1_000_000;

/** The lower of both limits, for pages and for money. */
export function strictest(a: DayLimits, b: DayLimits): DayLimits {
  const least = (x: number | null, y: number | null) =>
    x === null ? y : y === null ? x : Math.min(x, y);
  return { pages: least(a.pages, b.pages), usd: least(a.usd, b.usd) };
}

export const isLimited = ({ pages, usd }: DayLimits) => pages !== null || usd !== null;

/** @param price dollars per page */
export const costOf = (pages: number, price: number): Spent => ({
  pages,
  micros: pages * Math.round(price * MICROS),
});

/** @param price dollars for a million tokens, which are millionths of a dollar for one */
export const microsOf = (
  tokens: { input: number; output: number },
  price: { input: number; output: number },
): number => Math.round(tokens.input * price.input + tokens.output * price.output);

/** Whether a limit of dollars is reached. */
export const isSpent = ({ usd }: DayLimits, { micros }: Spent): boolean =>
  usd !== null && micros >= Math.round(usd * MICROS);

/** Pages of this price that the limits leave for today; infinite without a limit. */
export function pagesLeft(limits: DayLimits, spent: Spent, price: number): number {
  const { pages, usd } = limits;
  const byPages = pages === null ? Number.POSITIVE_INFINITY : pages - spent.pages;
  const each = Math.round(price * MICROS);
  const byMoney =
    usd === null || each === 0
      ? Number.POSITIVE_INFINITY
      : Math.floor((Math.round(usd * MICROS) - spent.micros) / each);
  return Math.max(0, Math.min(byPages, byMoney));
}

export const dayOf = (now: number) => new Date(now).toISOString().slice(0, 10);

/** Seconds until the daily counts are reset. */
export const secondsOfDayLeft = (now: number) =>
  Math.ceil((86_400_000 - (now % 86_400_000)) / 1000);
