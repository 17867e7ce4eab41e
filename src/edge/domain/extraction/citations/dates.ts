/** Dates as they are written on pages: in figures, and with the names of months in several languages. */

export interface WrittenDate {
  start: number;
  end: number;
  /** What it may mean as `YYYY-MM-DD` or `YYYY-MM`: `03/04/2026` is a day in March or in April. */
  dates: string[];
}

/** Names of months, folded (`fold.ts`), from January to December. The first three letters or more may stand for a name. */
const NAMES = [
  "january february march april may june july august september october november december",
  "januar februar marz april mai juni juli august september oktober november dezember",
  "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre",
  "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
  "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
  "janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro",
  "januari februari maart april mei juni juli augustus september oktober november december",
  "stycznia lutego marca kwietnia maja czerwca lipca sierpnia wrzesnia pazdziernika listopada grudnia",
  "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
  "январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь",
].map((names) => names.split(" "));

/** Abbreviations that are not the beginning of a name. */
const SHORT: Record<string, number> = {
  sept: 9,
  mrt: 3,
  dez: 12,
  dic: 12,
  ene: 1,
  ago: 8,
  aug: 8,
  janv: 1,
};

function monthOf(word: string): number | null {
  const known = SHORT[word];
  if (known) return known;
  if (word.length < 3) return null;
  for (const names of NAMES) {
    const exact = names.indexOf(word);
    if (exact >= 0) return exact + 1;
  }
  // `jui` is June or July in French: an abbreviation must be of one month only.
  const months = new Set(
    NAMES.flatMap((names) => names.flatMap((name, i) => (name.startsWith(word) ? [i + 1] : []))),
  );
  return months.size === 1 ? ([...months][0] as number) : null;
}

const WORD = "(\\p{L}{3,12})\\.?";
const YEAR = "(\\d{4}|'\\d{2})";
const EDGE = "(?<![\\p{L}\\p{N}])";
const END = "(?![\\p{L}\\p{N}])";

const FORMS: readonly (readonly [RegExp, (groups: string[]) => string[]])[] = [
  // 2026-03-12, 2026/3/12, 2026.03.12, 2026年3月12日
  [
    /(?<!\d)(\d{4}) ?[-/.年] ?(\d{1,2}) ?[-/.月] ?(\d{1,2})(?!\d)/gu,
    ([year, month, day]) => date(year, month, day),
  ],
  // 12.03.2026, 12/03/26, 03/12/2026
  [
    /(?<![\d./-])(\d{1,2}) ?([-/.]) ?(\d{1,2}) ?\2 ?(\d{4}|\d{2})(?![\d])/gu,
    ([first, , second, year]) => [...date(year, second, first), ...date(year, first, second)],
  ],
  // 12 March 2026, 12th of March, 2026, 12. März 2026, 12-Mar-2026, 12 de marzo de 2026
  [
    new RegExp(
      `${EDGE}(\\d{1,2})(?:st|nd|rd|th|er|re|º|°|\\.)?,?[ -]?(?:of |de |d')?${WORD},?[ -]?(?:de |del )?(\\d{4}|'?\\d{2})${END}`,
      "gu",
    ),
    ([day, name, year]) => named(year, name, day),
  ],
  // March 12, 2026, Mar 12th 2026
  [
    new RegExp(`${EDGE}${WORD}[ -]?(\\d{1,2})(?:st|nd|rd|th)?(?:, ?| )${YEAR}${END}`, "gu"),
    ([name, day, year]) => named(year, name, day),
  ],
  // March 2026, 03/2026, 2026-03
  [
    new RegExp(`${EDGE}${WORD},?[ -]?(?:de |del )?${YEAR}${END}`, "gu"),
    ([name, year]) => named(year, name),
  ],
  [/(?<![\d./-])(\d{1,2}) ?[/.] ?(\d{4})(?![\d./-])/gu, ([month, year]) => date(year, month)],
  [/(?<![\d./-])(\d{4})-(\d{2})(?![\d-])/gu, ([year, month]) => date(year, month)],
  // 20260312
  [
    /(?<!\d)((?:19|20)\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?!\d)/gu,
    ([year, month, day]) => date(year, month, day),
  ],
];

const DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** @returns nothing if there is no such day */
function date(yearText = "", monthText = "", dayText?: string): string[] {
  const digits = yearText.replace("'", "");
  const short = Number(digits);
  const year = digits.length > 2 ? short : short + (short < 70 ? 2000 : 1900);
  const month = Number(monthText);
  const days = DAYS[month - 1];
  if (days === undefined || year < 1000) return [];
  const name = `${year}-${String(month).padStart(2, "0")}`;
  if (dayText === undefined) return [name];
  const day = Number(dayText);
  return day >= 1 && day <= days ? [`${name}-${String(day).padStart(2, "0")}`] : [];
}

function named(year = "", name = "", day?: string): string[] {
  const month = monthOf(name);
  return month === null ? [] : date(year, String(month), day);
}

/** Finds the dates in a folded text. */
export function writtenDates(text: string): WrittenDate[] {
  return FORMS.flatMap(([form, read]) =>
    Array.from(text.matchAll(form), (match) => {
      const [all, ...groups] = match;
      return { start: match.index, end: match.index + all.length, dates: read(groups) };
    }).filter(({ dates }) => dates.length > 0),
  );
}

/** The dates that a value may mean, if it is a date and nothing else. A time after the date is not looked at. */
export function datesOf(folded: string): string[] {
  const iso = /^(\d{4})-(\d{2})(?:-(\d{2})(?:[t ]\d{2}:\d{2}.*)?)?$/.exec(folded);
  if (iso) return date(iso[1], iso[2], iso[3]);
  return writtenDates(folded)
    .filter(({ start, end }) => start === 0 && end === folded.length)
    .flatMap(({ dates }) => dates);
}
