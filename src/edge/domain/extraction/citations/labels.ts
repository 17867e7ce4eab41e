/** How much the surroundings of a place speak of a field: its label before or above it, headings, heads of tables. */

import type { Span } from "./find.ts";
import { fold, wordsOf } from "./fold.ts";
import type { Fragment, SourceText } from "./page-text.ts";

/** The words of a property's name: `invoiceNumber` and `invoice_number` are `invoice number`. */
export function labelWords(name: string): string[] {
  const spaced = name.replace(/(\p{Ll}|\p{N})(\p{Lu})/gu, "$1 $2").replace(/[_\-./]+/g, " ");
  return wordsOf(fold(spaced).text).filter((word) => !EMPTY.has(word));
}

/** Words of names and descriptions that no label has. */
const EMPTY = new Set([
  "the",
  "a",
  "an",
  "of",
  "in",
  "on",
  "for",
  "to",
  "and",
  "is",
  "as",
  "value",
  "field",
]);

/** Words that pages write in another way. */
const SHORT: Record<string, string[]> = {
  number: ["no", "nr", "num", "n"],
  quantity: ["qty"],
  amount: ["amt"],
  telephone: ["tel", "phone"],
  phone: ["tel", "telephone"],
  reference: ["ref"],
  id: ["no", "nr", "number"],
  tax: ["vat", "gst"],
  vat: ["tax"],
};

/** Lower weights for what is farther away, or is not where labels usually are. */
const WEIGHT = {
  before: 1,
  head: 1,
  rowHead: 0.8,
  beside: 0.9,
  above: 0.7,
  previous: 0.5,
  unit: 0.5,
  after: 0.4,
  heading: 0.5,
};
/** Words farther before the value count less. */
const DECAY = 0.12;
/** Words before a value in its own fragment that can be its label. */
const NEAR_WORDS = 12;

interface Context {
  words: string[];
  weight: number;
}

/** Knows the surroundings of all fragments. */
export class Labels {
  readonly #source: SourceText;
  readonly #around = new Map<Fragment, Context[]>();
  readonly #byRow: Map<number, Fragment[]>;
  readonly #tables: Map<string, Fragment[]>;

  constructor(source: SourceText) {
    this.#source = source;
    this.#byRow = Map.groupBy(source.fragments, ({ rows }) => rows[0] as number);
    const cells = source.fragments.filter(({ cell }) => cell !== null);
    this.#tables = Map.groupBy(cells, tableOf);
  }

  /**
   * @param words of the label; none are no label
   * @returns 0 to 1: the share of the words that are around the place, weighted by where
   */
  score(span: Span, words: string[]): number {
    if (words.length === 0) return 0;
    const ofSpan = this.#scores.get(span) ?? new Map<string, number>();
    this.#scores.set(span, ofSpan);
    const label = words.join(" ");
    const score = ofSpan.get(label) ?? this.#score(span, words);
    ofSpan.set(label, score);
    return score;
  }

  readonly #scores = new WeakMap<Span, Map<string, number>>();

  #score({ fragment, start, end }: Span, words: string[]): number {
    const before = wordsOf(fold(fragment.text.slice(0, start)).text).slice(-NEAR_WORDS);
    const near = words.map((word) => {
      const at = before.findLastIndex((other) => isSame(word, other));
      return at < 0 ? 0 : WEIGHT.before / (1 + DECAY * (before.length - 1 - at));
    });
    const after = wordsOf(fold(fragment.text.slice(end)).text).slice(0, 3);
    const scores = [
      mean(near),
      WEIGHT.after * covered(words, after),
      // `30 days` for `payment_days`.
      after[0] && words.some((word) => isSame(word, after[0] as string)) ? WEIGHT.unit : 0,
      ...this.#surroundings(fragment).map(
        ({ words: others, weight }) => weight * covered(words, others),
      ),
    ];
    return Math.max(...scores);
  }

  #surroundings(fragment: Fragment): Context[] {
    const known = this.#around.get(fragment);
    if (known) return known;
    const made = fragment.cell ? this.#ofCell(fragment) : this.#ofLine(fragment);
    const contexts = made.flatMap(([other, weight]) =>
      other ? [{ words: wordsOf(fold(other.text).text), weight }] : [],
    );
    this.#around.set(fragment, contexts);
    return contexts;
  }

  #ofCell(fragment: Fragment): [Fragment | undefined, number][] {
    const table = this.#tables.get(tableOf(fragment)) ?? [];
    const { row, column } = fragment.cell as NonNullable<Fragment["cell"]>;
    const head = table.find(({ cell }) => cell?.column === column && cell.row < row);
    const left = table.filter(({ cell }) => cell?.row === row && cell.column < column);
    return [
      [head, WEIGHT.head],
      [left[0], WEIGHT.rowHead],
      [left.at(-1), WEIGHT.rowHead],
      [this.#heading(fragment), WEIGHT.heading],
    ];
  }

  #ofLine(fragment: Fragment): [Fragment | undefined, number][] {
    const page = this.#ofPage(fragment);
    const at = page.indexOf(fragment);
    const [x0, y0, x1, y1] = fragment.box;
    const beside = (this.#byRow.get(fragment.rows[0] as number) ?? [])
      .filter(({ box }) => box[2] <= x0)
      .toSorted((a, b) => b.box[2] - a.box[2])[0];
    const height = y1 - y0;
    const above = page
      .filter(({ ownBox, box }) => ownBox && box[3] <= y0 + height / 4 && y0 - box[3] < 2 * height)
      .filter(({ box }) => box[0] < x1 && box[2] > x0)
      .toSorted((a, b) => b.box[3] - a.box[3])[0];
    return [
      [fragment.ownBox ? beside : undefined, WEIGHT.beside],
      [fragment.ownBox ? above : undefined, WEIGHT.above],
      [page[at - 1], WEIGHT.previous],
      [this.#heading(fragment), WEIGHT.heading],
    ];
  }

  #ofPage = ({ page }: Fragment) => this.#source.main[page]?.fragments ?? [];

  /** The nearest heading before a fragment on its page. */
  #heading(fragment: Fragment): Fragment | undefined {
    return this.#ofPage(fragment).findLast(
      ({ type, order }) => HEADINGS.has(type) && order < fragment.order,
    );
  }
}

const tableOf = ({ page, order }: Fragment) => `${page} ${order}`;

const HEADINGS = new Set<Fragment["type"]>(["title", "sub_title", "table_caption"]);

const covered = (words: string[], others: string[]) =>
  words.filter((word) => others.some((other) => isSame(word, other))).length / words.length;

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Whether two words are one, also in the plural or abbreviated. */
function isSame(word: string, other: string): boolean {
  if (word === other || SHORT[word]?.includes(other)) return true;
  const [short, long] = word.length < other.length ? [word, other] : [other, word];
  return short.length >= 4 && long.startsWith(short);
}
