/**
 * The form of each segment in a view: text, an image, a summary, or only its index line. A change of form breaks the
 * prompt cache of everything after it, so changes are rare: none as long as the budget is met, and then enough of them at
 * once.
 */

export interface Candidate {
  form: string;
  /** As a whole, with label, index line and sidecar. */
  tokens: number;
  /** Share of the characters that were read back, once the render is verified. */
  precision: number | null;
  ready: boolean;
  /** Number of its pages; needed only if the view has a limit of images. */
  images?: number;
}

export interface SegmentState {
  id: string;
  textTokens: number;
  indexTokens: number;
  /** Of the summary, as expected if it is not made yet. Left out: there is none. */
  summaryTokens?: number | undefined;
  /** Seconds or rounds. */
  age: number;
  /** 0 to 1. At 1 a segment ages ten times more slowly. */
  importance: number;
  /** Now in the view; `text` when new. */
  form: string;
  /** Renders that exist or could, clear to faint; tokens of those not rendered are estimates. */
  candidates: Candidate[];
}

/** A ladder as in the DeepSeek-OCR paper (arXiv 2510.18234, figure 13): forms that are due at an age. */
export interface Fade {
  by: "time" | "rounds";
  rungs: { form: string; after: number }[];
}

export interface ViewPolicy {
  budget: number | null;
  fade: Fade | null;
  /** Most images that the provider takes in a request. */
  maxImages?: number;
  /**
   * Whether the oldest segments may leave the view (form `none`) if even index lines are too many for the budget. They
   * can still be searched. Without it such a view is over its budget, and says so.
   */
  mayHide?: boolean;
}

export interface ViewPlan {
  /** Of each segment, in the given order. */
  forms: string[];
  tokens: number;
  /** Why the view has more tokens than the budget, or `null`. */
  overBudget: string | null;
}

/** Precision that a form needs if nothing forces it. */
export const PRECISION = 0.97;
/** Precision that an image needs under the pressure of a budget. Below it, the index line says more. */
export const LEGIBLE = 0.8;
/** Share of the budget down to which a batch of changes goes, so that the next one is far. */
export const LOW_WATER = 0.75;

/** Factor for a segment's age: 1 for importance 0, 0.1 for importance 1. */
export const ageingSpeed = (importance: number) => (10 - 9 * importance) / 10;

/** A form that a segment can take, by its place from clear to faint. */
interface Option {
  form: string;
  tokens: number;
  precision: number | null;
  images: number;
}

/**
 * The form that each segment should have: text, unless an image is cheaper; then the cheapest whose precision
 * suffices. The fade's rung, if one is due. If the whole is over budget, the oldest segments go fainter, then to
 * `summary`, then to `index`, down to `LOW_WATER` of the budget. Too many images become summaries or index lines, the
 * oldest first. Never back up. A form that does not exist yet is one to make.
 * @param liveTokens of the messages that are in no segment
 */
export function planView(
  segments: SegmentState[],
  liveTokens: number,
  { budget, fade, maxImages, mayHide = false }: ViewPolicy,
): ViewPlan {
  const options = segments.map((segment) => optionsOf(segment, mayHide));
  const view: View = { options, places: [], oldestFirst: byAge(segments) };
  view.places = segments.map((segment, i) => place(segment, view.options[i] as Option[], fade));
  if (maxImages !== undefined) reduce(view, "images", 0, maxImages, withoutImages(view));
  if (budget !== null) reduce(view, "tokens", liveTokens, budget, smaller(view));
  const tokens = total(view, "tokens", liveTokens);
  return {
    forms: segments.map((_, i) => now(view, i).form),
    tokens,
    overBudget:
      budget !== null && tokens > budget
        ? excuse(segments.length, liveTokens, tokens, budget)
        : null,
  };
}

interface View {
  options: Option[][];
  /** Index of each segment's option. */
  places: number[];
  oldestFirst: number[];
}

const now = ({ options, places }: View, i: number): Option =>
  (options[i] as Option[])[places[i] as number] as Option;

const total = (view: View, what: "tokens" | "images", start: number): number =>
  view.options.reduce((sum, _, i) => sum + now(view, i)[what], start);

const HIDDEN: Option = { form: "none", tokens: 0, precision: 1, images: 0 };

const SUMMARY = "summary";
const INDEX = "index";

/** From text to index line, or to nothing. */
function optionsOf(segment: SegmentState, mayHide: boolean): Option[] {
  const { textTokens, indexTokens, summaryTokens, candidates, form } = segment;
  return [
    { form: "text", tokens: textTokens, precision: 1, images: 0 },
    ...candidates.map((candidate) => ({ ...candidate, images: candidate.images ?? 0 })),
    ...(summaryTokens === undefined
      ? []
      : [{ form: SUMMARY, tokens: summaryTokens, precision: 1, images: 0 }]),
    { form: INDEX, tokens: indexTokens, precision: 1, images: 0 },
    ...(mayHide || form === HIDDEN.form ? [HIDDEN] : []),
  ];
}

const placeOf = (options: Option[], form: string) =>
  options.findIndex((option) => option.form === form);
/** The places from 1 up to this one are images. */
const imagesEnd = (options: Option[]) =>
  options.findIndex(({ form }) => form === SUMMARY || form === INDEX);

/** Indices of the segments. Important ones count as younger. */
function byAge(segments: SegmentState[]): number[] {
  const ages = segments.map(({ age, importance }) => age * ageingSpeed(importance));
  return segments
    .map((_, i) => i)
    .sort((a, b) => (ages[b] as number) - (ages[a] as number) || a - b);
}

/**
 * Makes changes until the total is down at the low water, if it is over the limit.
 * @param changes pairs of a segment's index and its new place
 */
function reduce(
  view: View,
  what: "tokens" | "images",
  start: number,
  limit: number,
  changes: Iterable<[number, number]>,
): void {
  let sum = total(view, what, start);
  if (sum <= limit) return;
  for (const [i, to] of changes) {
    sum -= now(view, i)[what];
    view.places[i] = to;
    sum += now(view, i)[what];
    if (sum <= LOW_WATER * limit) return;
  }
}

/** First all images go fainter, then the oldest become summaries, then index lines, then the oldest of these leave. */
function* smaller(view: View): Generator<[number, number]> {
  yield* fainter(view);
  yield* toWords(view, SUMMARY);
  yield* toWords(view, INDEX);
  for (const i of view.oldestFirst) {
    const to = placeOf(view.options[i] as Option[], HIDDEN.form);
    if (to > (view.places[i] as number)) yield [i, to];
  }
}

/** Each segment one form fainter, the oldest first, and again until all are as faint as they can be. */
function* fainter({ options, places, oldestFirst }: View): Generator<[number, number]> {
  let left = oldestFirst;
  while (left.length > 0) {
    const moved: number[] = [];
    for (const i of left) {
      const to = nextFainter(options[i] as Option[], places[i] as number);
      if (to === null) continue;
      moved.push(i);
      yield [i, to];
    }
    left = moved;
  }
}

/** The next image that is cheaper and can still be read. */
function nextFainter(options: Option[], from: number): number | null {
  const here = (options[from] as Option).tokens;
  const to = options.findIndex(
    ({ tokens, precision }, at) =>
      at > from &&
      at < imagesEnd(options) &&
      tokens < here &&
      (precision === null || precision >= LEGIBLE),
  );
  return to < 0 ? null : to;
}

/** The oldest become summaries, or index lines, where that is cheaper. */
function* toWords(view: View, form: typeof SUMMARY | typeof INDEX): Generator<[number, number]> {
  for (const i of view.oldestFirst) {
    const options = view.options[i] as Option[];
    const to = placeOf(options, form);
    const saves =
      to > (view.places[i] as number) && (options[to]?.tokens ?? 0) < now(view, i).tokens;
    if (saves) yield [i, to];
  }
}

/** The oldest images become the first form without one. Text stays as it is. */
function* withoutImages(view: View): Generator<[number, number]> {
  for (const i of view.oldestFirst)
    if (now(view, i).images > 0) yield [i, imagesEnd(view.options[i] as Option[])];
}

/** Where a segment belongs if there were no budget. */
function place(segment: SegmentState, options: Option[], fade: Fade | null): number {
  const at = placeOf(options, segment.form);
  // A form that the profile no longer has counts as text.
  const from = Math.max(0, at);
  const due = fade === null ? null : dueForm(segment, fade);
  if (due === null) return cheapest(options, from);
  const to = placeOf(options, due);
  const saves = to > from && (options[to] as Option).tokens < (options[from] as Option).tokens;
  return saves ? to : from;
}

const dueForm = ({ age, importance }: SegmentState, { rungs }: Fade): string | null =>
  rungs.findLast(({ after }) => after <= age * ageingSpeed(importance))?.form ?? null;

/** The cheapest image or text from a place on that is precise enough; the clearest of them. */
function cheapest(options: Option[], from: number): number {
  let best = from;
  for (let at = from + 1; at < imagesEnd(options); at++) {
    const { tokens, precision } = options[at] as Option;
    if (precision !== null && precision < PRECISION) continue;
    if (tokens < (options[best] as Option).tokens) best = at;
  }
  return best;
}

function excuse(segments: number, live: number, tokens: number, budget: number): string {
  const sealed = tokens - live;
  const rest =
    segments === 0
      ? "no older messages could be sealed"
      : `${segments} segments take ${sealed} even in their smallest form`;
  return `The view has ${tokens} tokens, the budget is ${budget}: recent and pinned messages take ${live}, and ${rest}.`;
}
