/** Finds every place at which a value stands on the pages. Which of them is meant, `cite.ts` decides. */
import { datesOf, writtenDates } from "./dates.ts";
import { compact, fold, isWordUnit } from "./fold.ts";
import { amountOf, CURRENCIES, numberKey, writtenNumbers } from "./numbers.ts";
import type { Fragment, SourceText, Stream } from "./page-text.ts";

/** `exact`: the characters of the value, except for white space. `normalized`: written in another way. */
export type Match = "exact" | "normalized";

/** A part of a fragment's text. */
export interface Span {
  fragment: Fragment;
  start: number;
  end: number;
}

export interface Occurrence {
  /** In reading order, at least one. */
  spans: Span[];
  /** As it is written there. */
  text: string;
  match: Match;
  /** How far the writing is from the usual one: 0 is the nearest. */
  rank: number;
}

/** Most places of one value. The first ones in reading order count. */
const MAX_PLACES = 5000;

/** Shorter values are not searched without their punctuation: too much would be equal to them. */
const MIN_COMPACT = { withLetters: 4, digits: 5 };

/** Of a telephone or account number, which pages write in groups. */
const MANY_DIGITS = /^\d{7,}$/;

/** Most characters between two pieces of a value. */
const MAX_GAP = 200;

export class Finder {
  readonly #source: SourceText;
  readonly #numbers = new Map<string, Occurrence[]>();
  readonly #dates = new Map<string, Occurrence[]>();

  constructor(source: SourceText) {
    this.#source = source;
    for (const fragment of source.fragments) {
      const folded = fold(fragment.text);
      const span = ({ start, end }: { start: number; end: number }) =>
        spanOf(fragment, folded.at, start, end);
      for (const written of writtenNumbers(folded.text))
        for (const [rank, value] of written.values.entries())
          add(this.#numbers, numberKey(value), span(written), written.rank + rank);
      for (const written of writtenDates(folded.text))
        for (const [rank, date] of written.dates.entries())
          add(this.#dates, date, span(written), rank);
    }
  }

  readonly #found = new Map<unknown, Occurrence[]>();

  /** The places of a number or a string; none for other values. */
  find(value: unknown): Occurrence[] {
    if (typeof value !== "number" && typeof value !== "string") return [];
    const places =
      this.#found.get(value) ??
      (typeof value === "number" ? this.#number(value) : this.#string(value));
    this.#found.set(value, places);
    return places;
  }

  #number(value: number): Occurrence[] {
    const written = String(value);
    return (this.#numbers.get(numberKey(value)) ?? []).map((place) =>
      place.text === written ? { ...place, match: "exact", rank: 0 } : place,
    );
  }

  #string(value: string): Occurrence[] {
    const folded = fold(value.trim());
    const text = folded.text.trim();
    if (text === "") return [];
    const places = this.#source.main.flatMap((stream) => search(stream, text, value));
    const dates = datesOf(text).flatMap((date) => this.#dates.get(date) ?? []);
    const amount = amountOf(text);
    const numbers = amount === null ? [] : (this.#numbers.get(numberKey(amount)) ?? []);
    const direct = distinct([...places, ...dates, ...numbers]);
    if (direct.length > 0) return direct.slice(0, MAX_PLACES);
    if (amount !== null && !MANY_DIGITS.test(text)) return [];
    const { main, columns } = this.#source;
    const letters = compact(folded).text;
    for (const look of [
      () => columns.flatMap((stream) => search(stream, text, value)),
      () => main.flatMap((stream) => searchCompact(stream, letters)),
      () => columns.flatMap((stream) => searchCompact(stream, letters)),
      () => main.flatMap((stream) => searchCurrency(stream, text)),
      () => main.flatMap((stream) => searchPieces(stream, value)),
      () => timesOf(text).flatMap((time) => main.flatMap((stream) => search(stream, time, value))),
    ]) {
      const found = look();
      if (found.length > 0) return found.slice(0, MAX_PLACES);
    }
    return [];
  }
}

/** Places of one value in a fragment that are compared. */
const MAX_IN_FRAGMENT = 20;

function add(index: Map<string, Occurrence[]>, key: string, span: Span, rank: number): void {
  const places = index.get(key) ?? [];
  // Those of one fragment follow each other.
  const isKnown = places
    .slice(-MAX_IN_FRAGMENT)
    .some(({ spans: [other] }) => other?.fragment === span.fragment && other.start === span.start);
  if (isKnown || places.length >= MAX_PLACES) return;
  const text = span.fragment.text.slice(span.start, span.end);
  places.push({ spans: [span], text, match: "normalized", rank });
  index.set(key, places);
}

function spanOf(fragment: Fragment, at: number[], start: number, end: number): Span {
  return { fragment, start: at[start] as number, end: endOf(fragment.text, at[end - 1] as number) };
}

/** The end of the character that begins at an index. */
const endOf = (text: string, index: number) =>
  index + ((text.codePointAt(index) as number) > 0xffff ? 2 : 1);

/** Without those that begin where an earlier one begins. */
function distinct(places: Occurrence[]): Occurrence[] {
  const starts = new Map<Fragment, Set<number>>();
  return places.filter(({ spans: [span] }) => {
    const { fragment, start } = span as Span;
    const known = starts.get(fragment) ?? new Set();
    starts.set(fragment, known);
    if (known.has(start)) return false;
    known.add(start);
    return true;
  });
}

/** The places of a folded text in a stream. */
function search(stream: Stream, text: string, value: string): Occurrence[] {
  const found: Occurrence[] = [];
  const { folded } = stream;
  const wanted = collapsed(value);
  for (let from = 0; found.length < MAX_PLACES; ) {
    const index = folded.text.indexOf(text, from);
    if (index < 0) break;
    from = index + 1;
    if (!isWhole(folded.text, index, index + text.length)) continue;
    const start = folded.at[index] as number;
    const end = endOf(stream.text, folded.at[index + text.length - 1] as number);
    const written = stream.text.slice(start, end);
    const isExact = collapsed(written) === wanted;
    found.push({
      spans: spansOf(stream, start, end),
      text: collapsed(written),
      match: isExact ? "exact" : "normalized",
      rank: isExact ? 0 : 1,
    });
  }
  return found;
}

const collapsed = (text: string) => text.trim().replace(/\s+/g, " ");

/** Scripts that do not separate words. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** Whether a part of a text ends and begins where words do, and cuts no number: `12` is not in `12.95`. */
function isWhole(text: string, start: number, end: number): boolean {
  const joined = (left: string | undefined, right: string | undefined) =>
    isWordUnit(left) &&
    isWordUnit(right) &&
    !UNSPACED.test(left as string) &&
    !UNSPACED.test(right as string);
  if (joined(text[start - 1], text[start]) || joined(text[end - 1], text[end])) return false;
  const isDigit = (unit: string | undefined) => unit !== undefined && /\d/.test(unit);
  const isMark = (unit: string | undefined) => unit !== undefined && /[.,']/.test(unit);
  if (isDigit(text[start]) && isMark(text[start - 1]) && isDigit(text[start - 2])) return false;
  return !(isDigit(text[end - 1]) && isMark(text[end]) && isDigit(text[end + 1]));
}

/** The places of letters and digits in a stream, whatever stands between them. */
function searchCompact(stream: Stream, letters: string): Occurrence[] {
  const least = /\p{L}/u.test(letters) ? MIN_COMPACT.withLetters : MIN_COMPACT.digits;
  if (letters.length < least) return [];
  const found: Occurrence[] = [];
  const { compact } = stream;
  for (let from = 0; found.length < MAX_PLACES; ) {
    const index = compact.text.indexOf(letters, from);
    if (index < 0) break;
    from = index + 1;
    const start = compact.at[index] as number;
    const end = endOf(stream.text, compact.at[index + letters.length - 1] as number);
    if (!isWhole(stream.text, start, end)) continue;
    const text = collapsed(stream.text.slice(start, end));
    found.push({ spans: spansOf(stream, start, end), text, match: "normalized", rank: 2 });
  }
  return found;
}

/** How pages write a time: `09:30:00` as `9:30` or `9.30`, and after noon as `1:30 pm`. */
function timesOf(folded: string): string[] {
  const [, hours = "", minutes = ""] =
    /^([01]\d|2[0-3]):([0-5]\d)(?::00(?:\.0+)?)?(?:z|[+-]\d\d:\d\d)?$/.exec(folded) ?? [];
  if (minutes === "") return [];
  const [hour, half] = [Number(hours) % 12 || 12, Number(hours) < 12 ? "a" : "p"];
  const halves = [`${half}m`, ` ${half}m`, `${half}.m.`, ` ${half}.m.`];
  return [
    ...halves.map((end) => `${hour}:${minutes}${end}`),
    ...(minutes === "00" ? halves.map((end) => `${hour}${end}`) : []),
    ...[":", ".", "h"].flatMap((mark) =>
      [hours, String(Number(hours))].map((h) => `${h}${mark}${minutes}`),
    ),
  ];
}

/** The sign of a currency, for its code. */
function searchCurrency(stream: Stream, code: string): Occurrence[] {
  return Object.entries(CURRENCIES)
    .filter(([, codes]) => codes.includes(code))
    .flatMap(([sign]) => {
      const found: Occurrence[] = [];
      const { text } = stream;
      for (let at = text.indexOf(sign); at >= 0; at = text.indexOf(sign, at + 1))
        if (found.length < MAX_PLACES)
          found.push({
            spans: spansOf(stream, at, at + sign.length),
            text: sign,
            match: "normalized",
            rank: 2,
          });
      return found;
    });
}

/** A value that the page has in pieces, such as an address: all of them, in order, and near each other. */
function searchPieces(stream: Stream, value: string): Occurrence[] {
  const pieces = value
    .split(/[\n,;|]+| [-–—/] /)
    .map((piece) => fold(piece.trim()).text.trim())
    .filter((piece) => piece !== "");
  if (pieces.length < 2 || pieces.length > 20) return [];
  const places = pieces.map((piece) => search(stream, piece, piece));
  const [first, ...rest] = places;
  return (first ?? []).flatMap((start): Occurrence[] => {
    let end = endIn(stream, start);
    const chain = [start];
    for (const next of rest) {
      const found = next.find((place) => {
        const gap = startIn(stream, place) - end;
        return gap >= 0 && gap <= MAX_GAP;
      });
      if (!found) return [];
      chain.push(found);
      end = endIn(stream, found);
    }
    return [
      {
        spans: chain.flatMap(({ spans }) => spans),
        text: chain.map(({ text }) => text).join(" … "),
        match: "normalized",
        rank: 3,
      },
    ];
  });
}

const startIn = (stream: Stream, { spans: [span] }: Occurrence) =>
  placeIn(stream, span as Span, "start");
const endIn = (stream: Stream, { spans }: Occurrence) =>
  placeIn(stream, spans.at(-1) as Span, "end");
const placeIn = (stream: Stream, span: Span, side: "start" | "end") =>
  (stream.starts[stream.fragments.indexOf(span.fragment)] as number) + span[side];

/** The fragments of a part of a stream. */
function spansOf(stream: Stream, start: number, end: number): Span[] {
  const spans: Span[] = [];
  for (let i = firstBefore(stream.starts, start); i < stream.fragments.length; i++) {
    const offset = stream.starts[i] as number;
    if (offset >= end) break;
    const fragment = stream.fragments[i] as Fragment;
    const from = Math.max(0, start - offset);
    const to = Math.min(fragment.text.length, end - offset);
    if (from < to) spans.push({ fragment, start: from, end: to });
  }
  return spans;
}

/** Index of the last start that is not after a place. */
function firstBefore(starts: number[], place: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((starts[middle] as number) <= place) low = middle;
    else high = middle - 1;
  }
  return low;
}
