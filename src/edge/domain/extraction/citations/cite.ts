/**
 * Where on the pages the values of an extraction stand. A value that is nowhere has no citation: the model may have made it
 * up. If a value stands in several places, its label, the values beside it and, in lists, the row of its table say
 * which is meant.
 */
import { isObject, type Json, type JsonObject, pointerTo } from "../json.ts";
import { Finder, type Match, type Occurrence, type Span } from "./find.ts";
import { Labels, labelWords } from "./labels.ts";
import { type Box, type Fragment, type SourcePage, sourceText } from "./page-text.ts";

export interface Citation {
  page: number;
  /** Ids of the blocks, in reading order. */
  blocks: number[];
  /** One for each line or cell, in reading order. */
  boxes: Box[];
  match: Match;
  /** As it is written on the page. */
  text: string;
}

/** As the data: a citation or `null` in the place of each value that is neither an array nor an object. */
export type Citations = null | Citation | Citations[] | { [name: string]: Citations };

export interface Cited {
  citations: Citations;
  /** JSON Pointers of the elements that are a row of a table. */
  rows: string[];
}

/** Most values that are looked for. */
export const MAX_LEAVES = 5000;
const MAX_TEXT = 500;

/** Weights of what speaks for a place. */
const SCORE = {
  label: 2,
  parent: 0.5,
  exact: 0.3,
  rank: 0.15,
  block: 1,
  page: 0.2,
  column: 0.5,
  sibling: 1,
  only: 1,
  used: 0.7,
  otherItem: 0.5,
};
/** What a label or a sibling has to speak at least for a value that is too short to be found by chance. */
const EVIDENCE = { label: 0.4, sibling: 0.7 };

interface Leaf {
  value: Json;
  pointer: string;
  key: string;
  own: string[];
  parents: string[];
  places: Occurrence[];
  chosen: Occurrence | null;
}

/** An object: its own values, and the objects and lists in it. */
interface Group {
  pointer: string;
  leaves: Leaf[];
  children: Group[];
  /** The list of which it is an element. */
  list: string | null;
  /** Row of a table or line, or the block, in which an element stands. */
  place: Place | null;
}

/** @param data at most `MAX_LEAVES` values @param schema for titles and descriptions of the values */
export function cite(data: JsonObject, pages: SourcePage[], schema: JsonObject): Cited {
  const source = sourceText(pages);
  const finder = new Finder(source);
  const root = group("", null);
  collect(root, data, schema, [], finder);
  const chooser = new Chooser(new Labels(source));
  chooser.choose(root, []);
  const chosen = new Map<string, Occurrence | null>();
  const rows: string[] = [];
  const walk = ({ leaves, children, place, pointer }: Group) => {
    for (const leaf of leaves) chosen.set(leaf.pointer, leaf.chosen);
    if (place?.isTable) rows.push(pointer);
    for (const child of children) walk(child);
  };
  walk(root);
  const numbers = source.pages;
  const mirror = (value: Json, pointer: string): Citations => {
    if (Array.isArray(value))
      return value.map((element, i) => mirror(element, pointerTo(pointer, i)));
    if (isObject(value))
      return Object.fromEntries(
        Object.entries(value).map(([name, member]) => [
          name,
          mirror(member, pointerTo(pointer, name)),
        ]),
      );
    const place = chosen.get(pointer);
    return place ? citation(place, numbers) : null;
  };
  return { citations: mirror(data, ""), rows };
}

/** How many values an answer has that are neither arrays nor objects. */
export function countLeaves(value: Json): number {
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce<number>((sum, member) => sum + countLeaves(member), 0);
}

const group = (pointer: string, list: string | null): Group => ({
  pointer,
  leaves: [],
  children: [],
  list,
  place: null,
});

function collect(
  into: Group,
  data: JsonObject,
  schema: Json | undefined,
  parents: string[],
  finder: Finder,
): void {
  for (const [name, value] of Object.entries(data)) {
    const about = memberOf(schema, "properties", name);
    member(into, value, pointerTo(into.pointer, name), name, about, parents, finder);
  }
}

function member(
  into: Group,
  value: Json,
  pointer: string,
  name: string,
  about: Json | undefined,
  parents: string[],
  finder: Finder,
): void {
  const own = labelWords(name);
  if (Array.isArray(value)) {
    const ofElements = isObject(about) ? about.items : undefined;
    for (const [i, element] of value.entries()) {
      const at = pointerTo(pointer, i);
      if (isObject(element)) {
        const child = group(at, pointer);
        into.children.push(child);
        collect(child, element, ofElements, own, finder);
      } else member(into, element, at, name, ofElements, parents, finder);
    }
  } else if (isObject(value)) {
    const child = group(pointer, null);
    into.children.push(child);
    collect(child, value, about, own, finder);
  } else {
    const title = isObject(about) && typeof about.title === "string" ? labelWords(about.title) : [];
    const places = finder.find(value);
    // A title that says more than the name is the better label.
    into.leaves.push({
      value,
      pointer,
      key: name,
      own: title.length > own.length ? title : own,
      parents,
      places,
      chosen: null,
    });
  }
}

const memberOf = (schema: Json | undefined, keyword: string, name: string): Json | undefined => {
  const members = isObject(schema) ? schema[keyword] : undefined;
  return isObject(members) && Object.hasOwn(members, name) ? members[name] : undefined;
};

/** Where an element of a list stands. */
interface Place {
  /** `null`: in a block, not in one row. */
  row: number | null;
  page: number;
  order: number;
  isTable: boolean;
}

interface Choice {
  leaf: Leaf;
  place: Occurrence;
  score: number;
}

/** How much more must speak for a line that other elements stand in than for one that is free. */
const SHARED = 0.5;
/** A value in more places is not rare. */
const RARE = 20;
/** Places of one value among which is chosen. */
const MAX_CHOICE = 100;
/** Most values of one object whose places are compared with each other. */
const MAX_COMPARED = 50;
/** Places, the last ones chosen, that speak for what is beside them. */
const MAX_ANCHORS = 20;

class Chooser {
  readonly #labels: Labels;
  /** Places that are taken, as `page order start` of their fragments. */
  readonly #used = new Set<string>();
  /** Rows of elements that have been placed. */
  readonly #rows = new Set<number>();

  constructor(labels: Labels) {
    this.#labels = labels;
  }

  /** Chooses the places of a group. @param around places chosen in the groups around it */
  choose(of: Group, around: Occurrence[]): void {
    const lists = Map.groupBy(
      of.children.filter(({ list }) => list !== null),
      ({ list }) => list,
    );
    for (const elements of lists.values()) this.#placeElements(elements, of.place);
    this.#choose(of, around);
    const chosen = of.leaves.flatMap((leaf) => (leaf.chosen ? [leaf.chosen] : []));
    const near = chosen.length > 0 ? chosen : around;
    for (const child of of.children) this.choose(child, near);
  }

  /** Gives each element of a list a row, or a block, of its own: the one that has most of its values. */
  #placeElements(elements: Group[], within: Place | null): void {
    const pairs: { element: number; key: string; place: Place; score: number }[] = [];
    for (const [i, { leaves }] of elements.entries()) {
      const compared = leaves.slice(0, MAX_COMPARED).filter(({ places }) => places.length > 0);
      for (const [key, place] of this.#candidates(compared, i)) {
        let score = within ? nearness(place, within) : 0;
        if (place.row !== null && this.#rows.has(place.row)) score -= 0.5;
        for (const { places } of compared) {
          // What stands in many places says little about the row.
          const weight = 0.2 + 1 / places.length;
          if (this.#homes(places).has(key)) score += place.row === null ? weight / 2 : weight;
        }
        pairs.push({ element: i, key, place, score });
      }
    }
    pairs.sort((a, b) => b.score - a.score || a.element - b.element || rowOf(a) - rowOf(b));
    const taken = new Set<string>();
    const ofElement = Map.groupBy(pairs, ({ element }) => element);
    for (const { element, key, place, score } of pairs) {
      const of = elements[element] as Group;
      if (of.place || !this.#isRecognised(of, key)) continue;
      if (taken.has(key)) {
        const free = ofElement.get(element)?.find((pair) => !taken.has(pair.key));
        const isNearlyAsGood = free !== undefined && free.score > score - SHARED;
        if (place.isTable || isNearlyAsGood) continue;
      }
      taken.add(key);
      of.place = place;
      if (place.row !== null) this.#rows.add(place.row);
    }
    this.#learnColumns(elements);
  }

  /** The rows and blocks in which an element may stand: those of its rare values, or some at its index in the list. */
  #candidates(leaves: Leaf[], index: number): [string, Place][] {
    const rare = leaves.filter(({ places }) => places.length <= RARE);
    if (rare.length > 0)
      return [...new Map(rare.flatMap(({ places }) => [...this.#homes(places)]))];
    const [rarest] = leaves.toSorted((a, b) => a.places.length - b.places.length);
    const homes = rarest ? [...this.#homes(rarest.places)] : [];
    return homes.slice(Math.max(0, index - RARE), index + RARE);
  }

  readonly #homesOf = new WeakMap<Occurrence[], Map<string, Place>>();

  /** The rows and blocks of places, by name. */
  #homes(places: Occurrence[]): Map<string, Place> {
    const homes = this.#homesOf.get(places) ?? new Map(places.flatMap(placesOf));
    this.#homesOf.set(places, homes);
    return homes;
  }

  /** Whether a row or block has enough of an element to be its own: two values, or one that is not there by chance. */
  #isRecognised({ leaves }: Group, key: string): boolean {
    const wanted = leaves.filter(({ value }) => value !== null && typeof value !== "boolean");
    const found = wanted.filter(({ places }) => this.#homes(places).has(key));
    return (
      found.length >= Math.min(2, wanted.length) ||
      found.some(({ value }) => !isShort(String(value)))
    );
  }

  /** By list and name: the column in which values stand that are in their row once. */
  readonly #columns = new Map<string, number>();

  #learnColumns(elements: Group[]): void {
    const votes = new Map<string, Map<number, number>>();
    for (const { leaves, place, list } of elements)
      for (const { key, places } of leaves) {
        const inRow = places.filter((occurrence) => isInRow(occurrence, place));
        const column = inRow.length === 1 ? inRow[0]?.spans[0]?.fragment.cell?.column : undefined;
        if (column === undefined) continue;
        const ofKey = votes.get(`${list} ${key}`) ?? new Map<number, number>();
        ofKey.set(column, (ofKey.get(column) ?? 0) + 1);
        votes.set(`${list} ${key}`, ofKey);
      }
    for (const [key, ofKey] of votes) {
      const [most] = [...ofKey].toSorted(([, a], [, b]) => b - a);
      if (most) this.#columns.set(key, most[0]);
    }
  }

  /** Takes the clearest places first; what is chosen speaks for the places beside it. */
  #choose(of: Group, around: Occurrence[]): void {
    const anchors: Occurrence[] = [];
    // What is in the row of an element is not elsewhere.
    for (const leaf of of.leaves) {
      const inRow = of.place ? leaf.places.filter((place) => isInRow(place, of.place)) : [];
      leaf.places = inRow.length > 0 ? inRow : leaf.places.slice(0, MAX_CHOICE);
    }
    const open = new Set(of.leaves.filter(({ places }) => places.length > 0));
    const labels = new Map(
      [...open].map((leaf) => [leaf, leaf.places.map((place) => this.#label(leaf, place))]),
    );
    // Of long lists of plain values, each is taken in its turn.
    const atOnce = open.size > MAX_COMPARED ? 1 : open.size;
    while (open.size > 0) {
      const compared = [...open].slice(0, atOnce);
      const best = this.#best(of, compared, labels, anchors, around);
      if (best) {
        best.leaf.chosen = best.place;
        anchors.push(best.place);
        this.#used.add(placeName(best.place));
        open.delete(best.leaf);
      } else for (const leaf of compared) open.delete(leaf);
    }
  }

  /** @returns `null` if nothing speaks for any place of these values */
  #best(
    of: Group,
    leaves: Leaf[],
    labels: Map<Leaf, number[]>,
    anchors: Occurrence[],
    around: Occurrence[],
  ): Choice | null {
    // What is around the group says less than what is in it.
    const [near, weight] =
      anchors.length > 0 ? [anchors.slice(-MAX_ANCHORS), 1] : [around.slice(-MAX_ANCHORS), 0.5];
    let best: Choice | null = null;
    for (const leaf of leaves)
      for (const [i, place] of leaf.places.entries()) {
        const label = labels.get(leaf)?.[i] as number;
        const sibling = weight * closeness(place, near);
        if (!this.#isEvident(of, leaf, place, label, sibling)) continue;
        const score = this.#score(of, leaf, place, label, sibling);
        if (!best || score > best.score) best = { leaf, place, score };
      }
    return best;
  }

  #label({ own, parents }: Leaf, { spans: [span] }: Occurrence): number {
    return (
      this.#labels.score(span as Span, own) +
      SCORE.parent * this.#labels.score(span as Span, parents)
    );
  }

  #score(of: Group, leaf: Leaf, place: Occurrence, label: number, sibling: number): number {
    const fragment = place.spans[0]?.fragment as Fragment;
    const { place: home } = of;
    const isHome = home && isInRow(place, home);
    const isInBlock = home && fragment.page === home.page && fragment.order === home.order;
    const column = this.#columns.get(`${of.list} ${leaf.key}`);
    return (
      SCORE.label * label +
      (place.match === "exact" ? SCORE.exact : 0) -
      SCORE.rank * place.rank +
      (isInBlock ? SCORE.block : home?.page === fragment.page ? SCORE.page : 0) +
      (isHome && column !== undefined && fragment.cell?.column === column ? SCORE.column : 0) +
      SCORE.sibling * sibling +
      // A value that stands in one place only is the first to be chosen, and speaks for those beside it.
      SCORE.only / leaf.places.length -
      (this.#used.has(placeName(place)) ? SCORE.used : 0) -
      (!home && fragment.rows.some((row) => this.#rows.has(row)) ? SCORE.otherItem : 0)
    );
  }

  /** Whether more than chance speaks for the place: `3` is on every page. */
  #isEvident(of: Group, leaf: Leaf, place: Occurrence, label: number, sibling: number): boolean {
    const { place: home } = of;
    if (home && isInRow(place, home)) return true;
    const isNumber = typeof leaf.value === "number";
    const fragment = place.spans[0]?.fragment as Fragment;
    const isInTable = home?.isTable && home.page === fragment.page && home.order === fragment.order;
    // In the row of another element.
    if (isNumber && isInTable) return false;
    if (label >= EVIDENCE.label) return true;
    // The numbers of a row are in the row.
    if (isNumber && home?.isTable) return false;
    return !isShort(isNumber ? place.text : String(leaf.value)) || sibling >= EVIDENCE.sibling;
  }
}

/** Whether a text is on many pages by chance. */
const isShort = (text: string) => text.replace(/[^\p{L}\p{N}]/gu, "").length < 3;

const rowOf = ({ place }: { place: Place }) => place.row ?? Number.MAX_SAFE_INTEGER;

/** How near the place of an element is to that of the element around it, which comes before it. */
function nearness(place: Place, around: Place): number {
  const blocks = place.order - around.order;
  if (place.page !== around.page || blocks < 0) return 0;
  return blocks === 0 ? 0.5 : blocks === 1 ? 0.4 : blocks <= 3 ? 0.2 : 0;
}

/** The rows and the block of an occurrence, by name. */
function placesOf({ spans: [span] }: Occurrence): [string, Place][] {
  const { page, order, rows, cell } = (span as Span).fragment;
  const isTable = cell !== null;
  const inRows = rows.map((row): [string, Place] => [`row ${row}`, { row, page, order, isTable }]);
  if (isTable) return inRows;
  return [...inRows, [`block ${page} ${order}`, { row: null, page, order, isTable }]];
}

function isInRow({ spans }: Occurrence, place: Place | null): boolean {
  if (!place) return false;
  const { row, page, order } = place;
  return spans.some(({ fragment }) =>
    row === null ? fragment.page === page && fragment.order === order : fragment.rows.includes(row),
  );
}

const placeName = ({ spans: [span] }: Occurrence) => {
  const { fragment, start } = span as Span;
  const { page, order, cell, rows } = fragment;
  return `${page} ${order} ${rows[0]} ${cell?.column} ${start}`;
};

/** How near a place is to the nearest of others: 1 in the same row, 0 on another page. */
function closeness({ spans: [span] }: Occurrence, others: Occurrence[]): number {
  const { fragment } = span as Span;
  let nearest = 0;
  for (const { spans } of others) {
    const other = (spans.at(-1) as Span).fragment;
    nearest = Math.max(nearest, distance(fragment, other));
    if (nearest === 1) break;
  }
  return nearest;
}

function distance(one: Fragment, other: Fragment): number {
  if (one.page !== other.page) return 0;
  if (one.rows.some((row) => other.rows.includes(row))) return 1;
  const blocks = Math.abs(one.order - other.order);
  if (blocks === 0) return one.cell ? 0.5 : 0.8;
  return blocks === 1 ? 0.5 : blocks <= 3 ? 0.3 : 0.1;
}

function citation({ spans, text, match }: Occurrence, numbers: number[]): Citation {
  return {
    page: numbers[spans[0]?.fragment.page as number] as number,
    blocks: [...new Set(spans.map(({ fragment }) => fragment.block))],
    boxes: spans.map(boxOf),
    match,
    text: text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text,
  };
}

/** The box of the words in a span; without words, of the line, cell or block. */
function boxOf({ fragment, start, end }: Span): Box {
  const words = fragment.words.filter((word) => word.start < end && word.end > start);
  if (words.length === 0) return fragment.box;
  return [
    Math.min(...words.map(({ box }) => box[0])),
    Math.min(...words.map(({ box }) => box[1])),
    Math.max(...words.map(({ box }) => box[2])),
    Math.max(...words.map(({ box }) => box[3])),
  ];
}
