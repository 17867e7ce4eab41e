/**
 * The form of each segment in a view: text, an image, or only its index line. A change of form breaks the prompt cache of
 * everything after it, so changes are rare: none as long as the budget is met, and then enough of them at once.
 */

export interface Candidate {
  form: string;
  /** As a whole, with label, index line and sidecar. */
  tokens: number;
  /** Share of the characters that were read back, once the render is verified. */
  precision: number | null;
  ready: boolean;
}

export interface SegmentState {
  id: string;
  textTokens: number;
  indexTokens: number;
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

const SLOWEST = 0.1;
/** Factor for a segment's age: 1 for importance 0, 0.1 for importance 1. */
export const ageingSpeed = (importance: number) => 1 - (1 - SLOWEST) * importance;

/** A form that a segment can take, by its place from clear to faint. */
interface Option {
  form: string;
  tokens: number;
  precision: number | null;
}

/**
 * The form that each segment should have: text, unless an image is cheaper; then the cheapest whose precision suffices. The
 * fade's rung, if one is due. If the whole is over budget, the oldest segments go fainter and then to `index`, down to
 * `LOW_WATER` of the budget. Never back up. A form that is not `ready` is one to render.
 * @param liveTokens of the messages that are in no segment
 */
export function planView(
  segments: SegmentState[],
  liveTokens: number,
  { budget, fade }: ViewPolicy,
): ViewPlan {
  const options = segments.map(optionsOf);
  const places = segments.map((segment, i) => place(segment, options[i] as Option[], fade));
  const now = (i: number) => (options[i] as Option[])[places[i] as number] as Option;
  let tokens = segments.reduce((sum, _, i) => sum + now(i).tokens, liveTokens);
  if (budget !== null && tokens > budget) {
    const goal = LOW_WATER * budget;
    for (const [i, to] of steps(segments, options, places)) {
      if (tokens <= goal) break;
      tokens -= now(i).tokens;
      places[i] = to;
      tokens += now(i).tokens;
    }
  }
  return {
    forms: segments.map((_, i) => now(i).form),
    tokens,
    overBudget:
      budget !== null && tokens > budget
        ? excuse(segments.length, liveTokens, tokens, budget)
        : null,
  };
}

/** From text to index line. */
const optionsOf = ({ textTokens, indexTokens, candidates }: SegmentState): Option[] => [
  { form: "text", tokens: textTokens, precision: 1 },
  ...candidates,
  { form: "index", tokens: indexTokens, precision: 1 },
];

/** Where a segment belongs if there were no budget. */
function place(segment: SegmentState, options: Option[], fade: Fade | null): number {
  // A form that the profile no longer has counts as text.
  const now = Math.max(
    0,
    options.findIndex(({ form }) => form === segment.form),
  );
  const due = fade === null ? null : dueForm(segment, fade);
  const wanted =
    due === null ? cheapest(options, now) : options.findIndex(({ form }) => form === due);
  if (wanted <= now) return now;
  return (options[wanted] as Option).tokens < (options[now] as Option).tokens ? wanted : now;
}

function dueForm({ age, importance }: SegmentState, { rungs }: Fade): string | null {
  return rungs.findLast(({ after }) => after <= age * ageingSpeed(importance))?.form ?? null;
}

/** The cheapest form from `now` on that is precise enough; the clearest of them. The index line is no choice here. */
function cheapest(options: Option[], now: number): number {
  let best = now;
  for (let at = now + 1; at < options.length - 1; at++) {
    const { tokens, precision } = options[at] as Option;
    if (precision !== null && precision < PRECISION) continue;
    if (tokens < (options[best] as Option).tokens) best = at;
  }
  return best;
}

/**
 * Changes that save tokens, in the order in which a budget takes them: first each segment one form fainter, the oldest
 * first, and again, until all are as faint as they can be; then the oldest become index lines.
 * @returns pairs of a segment's index and its new place
 */
function* steps(
  segments: SegmentState[],
  options: Option[][],
  places: number[],
): Generator<[number, number]> {
  const age = segments.map(({ age, importance }) => age * ageingSpeed(importance));
  const oldestFirst = segments
    .map((_, i) => i)
    .sort((a, b) => (age[b] as number) - (age[a] as number) || a - b);
  let left = oldestFirst;
  while (left.length > 0) {
    const moved: number[] = [];
    for (const i of left) {
      const to = fainter(options[i] as Option[], places[i] as number);
      if (to === null) continue;
      yield [i, to];
      moved.push(i);
    }
    left = moved;
  }
  for (const i of oldestFirst) {
    const forms = options[i] as Option[];
    const index = forms.length - 1;
    if ((forms[index] as Option).tokens < (forms[places[i] as number] as Option).tokens)
      yield [i, index];
  }
}

/** The next image that is cheaper and can still be read. */
function fainter(options: Option[], now: number): number | null {
  const here = (options[now] as Option).tokens;
  const at = options.findIndex(
    ({ tokens, precision }, i) =>
      i > now &&
      i < options.length - 1 &&
      tokens < here &&
      (precision === null || precision >= LEGIBLE),
  );
  return at < 0 ? null : at;
}

function excuse(segments: number, live: number, tokens: number, budget: number): string {
  const sealed = tokens - live;
  const rest =
    segments === 0
      ? "no older messages could be sealed"
      : `${segments} segments take ${sealed} even in their smallest form`;
  return `The view has ${tokens} tokens, the budget is ${budget}: recent and pinned messages take ${live}, and ${rest}.`;
}
