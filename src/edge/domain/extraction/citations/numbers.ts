/** Numbers as they are written on pages, and what they may mean. */

export interface WrittenNumber {
  /** In the text. */
  start: number;
  end: number;
  /** What it may mean, the likeliest first. */
  values: number[];
  /** How far the likeliest is from the usual reading. */
  rank: number;
}

/** A key under which equal numbers are found. */
export const numberKey = (value: number) => String(Number(value.toPrecision(15)));

/** Digits with what may stand between them. Dates, versions and telephone numbers match too; `readings` sorts them out. */
const DIGITS = /\d(?:[\d.,' ]*\d)?/g;
const GROUPS_BY_SPACE = /^\d{1,3}(?: \d{3})+(?:[.,]\d+)?$/;

const SCALES: Record<string, number> = {
  k: 1e3,
  thousand: 1e3,
  tsd: 1e3,
  m: 1e6,
  mn: 1e6,
  mio: 1e6,
  million: 1e6,
  millions: 1e6,
  bn: 1e9,
  mrd: 1e9,
  billion: 1e9,
  billions: 1e9,
  trillion: 1e12,
};
const SCALE = /^ ?\)? ?(k|thousand|tsd|mn|mio|millions?|m|bn|mrd|billions?|trillion)\b/;

/** Signs of currencies, and their ISO 4217 codes. A `$` may be that of several countries. */
export const CURRENCIES: Record<string, string[]> = {
  "€": ["eur"],
  $: ["usd", "cad", "aud", "nzd", "sgd", "hkd", "mxn"],
  "£": ["gbp"],
  "¥": ["jpy", "cny"],
  "₹": ["inr"],
  "₽": ["rub"],
  "₩": ["krw"],
  "₺": ["try"],
  "₴": ["uah"],
  "₪": ["ils"],
  "₫": ["vnd"],
  "฿": ["thb"],
  "₱": ["php"],
  "₦": ["ngn"],
  R$: ["brl"],
  zł: ["pln"],
};
const CODES = [
  ...new Set([
    ...Object.values(CURRENCIES).flat(),
    "chf",
    "sek",
    "nok",
    "dkk",
    "czk",
    "huf",
    "zar",
    "rs",
    "kr",
    "fr",
  ]),
];
const CURRENCY_BEFORE = new RegExp(`(?:\\p{Sc}|(?<!\\p{L})(?:${CODES.join("|")}))\\.? ?$`, "u");

/** Finds the numbers in a folded text. Those of a line feed are not joined, since the text of each fragment is given alone. */
export function writtenNumbers(text: string): WrittenNumber[] {
  const found: WrittenNumber[] = [];
  for (const match of text.matchAll(DIGITS)) {
    const [digits] = match;
    if (GROUPS_BY_SPACE.test(digits)) add(found, text, match.index, digits);
    let start = match.index;
    for (const part of digits.split(" ")) {
      if (part !== "") add(found, text, start, part);
      start += part.length + 1;
    }
  }
  return found;
}

function add(found: WrittenNumber[], text: string, start: number, digits: string): void {
  const before = text.slice(Math.max(0, start - 8), start);
  const end = start + digits.length;
  const after = text.slice(end, end + 12);
  // Part of a word, such as `A4`; but `GBP4` has a currency before the number, and `x4` is a quantity.
  if (
    /\p{L}$/u.test(before) &&
    !CURRENCY_BEFORE.test(before) &&
    !/(?:^|[^\p{L}])[x×]$/u.test(before)
  )
    return;
  const amounts = readings(digits.replaceAll(" ", ""), digits.includes(" "));
  if (amounts.length === 0) {
    // A date or a version: each of its numbers.
    for (const part of digits.matchAll(/\d+/g))
      found.push({
        start: start + part.index,
        end: start + part.index + part[0].length,
        values: [Number(part[0])],
        rank: 0,
      });
    return;
  }
  const lead = before.replace(CURRENCY_BEFORE, "");
  const isNegative =
    /(?:^|[^\p{L}\p{N}])- ?$/u.test(lead) ||
    /(?:^|[^\p{L}\p{N}])- ?$/u.test(before) ||
    /^ ?(?:\p{Sc}|[a-z]{3})? ?-(?![\p{L}\p{N}])/u.test(after) ||
    (/\( ?$/.test(lead) && /^ ?(?:\p{Sc}|[a-z]{3})? ?\)/u.test(after));
  const scale = SCALES[SCALE.exec(after)?.[1] ?? ""];
  const isPercent = /^ ?(?:%|percent\b|per cent\b)/.test(after);
  const values = amounts.flatMap((amount) => [
    amount,
    ...(scale ? [amount * scale] : []),
    ...(isPercent ? [amount / 100] : []),
  ]);
  if (isNegative) {
    const negative = values.map((value) => -value);
    found.push({ ...signed(text, start, end), values: negative, rank: 0 });
  }
  // Who takes a minus for a dash, or the parentheses for those of a remark, means the number itself.
  found.push({ start, end, values, rank: isNegative ? 1 : 0 });
}

/** The place of a number with its sign or its parentheses, and with what stands between. */
function signed(text: string, start: number, end: number) {
  const before = /[-(] ?(?:(?:\p{Sc}|\p{L}{1,3})\.? ?)?$/u.exec(
    text.slice(Math.max(0, start - 8), start),
  );
  const after = /^ ?(?:\p{Sc}|[a-z]{3})? ?[-)]/u.exec(text.slice(end, end + 8));
  const isInParentheses = before?.[0].startsWith("(");
  return {
    start: before ? start - before[0].length : start,
    end: after && (isInParentheses || !before) ? end + after[0].length : end,
  };
}

/**
 * What digits with separators may mean. `1.234` is 1234 in one country and 1.234 in another: both, the likelier first.
 * @param grouped whether spaces already were its separators of thousands
 */
function readings(digits: string, grouped: boolean): number[] {
  if (/^\d+$/.test(digits)) return [Number(digits)];
  const [kind = "", ...others] = new Set(digits.replace(/\d/g, ""));
  if (others.length === 0) {
    const parts = digits.split(kind);
    const thousands = isGrouped(parts) && !grouped ? [Number(parts.join(""))] : [];
    if (kind === "'") return thousands;
    const decimal = parts.length === 2 ? [Number(parts.join("."))] : [];
    // Three digits after a comma are rather thousands; after a point, the language of JSON, rather decimals.
    return kind === "," ? [...thousands, ...decimal] : [...decimal, ...thousands];
  }
  if (others.length > 1) return [];
  // Two kinds: the last one, which stands once, is the decimal separator.
  const decimal = digits.at(digits.search(/[.,'](?=\d*$)/)) as string;
  const [whole = "", fraction, more] = digits.split(decimal);
  if (decimal === "'" || more !== undefined) return [];
  const separator = decimal === kind ? (others[0] as string) : kind;
  return isGrouped(whole.split(separator))
    ? [Number(`${whole.replaceAll(separator, "")}.${fraction}`)]
    : [];
}

/** Groups of three digits, or of two before the last, as in India. */
const isGrouped = (parts: string[]) => {
  const [first = "", ...rest] = parts;
  if (rest.length === 0 || !/^[1-9]\d{0,2}$/.test(first) || rest.at(-1)?.length !== 3) return false;
  const middle = rest.slice(0, -1);
  return (
    middle.every(({ length }) => length === 3) ||
    (first.length < 3 && middle.every(({ length }) => length === 2))
  );
};

/** The number that a text is, with or without a currency; `null` if it is more, or something else. */
export function amountOf(folded: string): number | null {
  const text = folded.trim().replace(/^(?:\p{Sc}|[a-z]{3}) ?|(?: ?\p{Sc}| [a-z]{3})$/gu, "");
  const isNegative = text.startsWith("-") || /^\(.*\)$/.test(text);
  const digits = text.replace(/^[-(] ?|\)$/g, "").replace(/^\p{Sc} ?/u, "");
  if (!/^\d[\d.,' ]*$/.test(digits)) return null;
  if (digits.includes(" ") && !GROUPS_BY_SPACE.test(digits)) return null;
  const [amount] = readings(digits.replaceAll(" ", ""), digits.includes(" "));
  return amount === undefined ? null : isNegative ? -amount : amount;
}
