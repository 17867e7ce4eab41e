/**
 * The ladder of the DeepSeek-OCR paper (arXiv 2510.18234, section 5 and figure 13): a memory ages from text to
 * smaller and smaller page images. The target rung depends only on ages, sizes, pins, importance and the token
 * budget. A memory never moves back up.
 */
import { IMAGE_MODES } from "./vision-tokens.ts";

/** From the clearest to the faintest. */
export const FORMS = ["text", ...IMAGE_MODES] as const;
export type Form = (typeof FORMS)[number];

interface Rung {
  form: Form;
  /** Seconds or rounds after which a memory is due for this rung. */
  after: number;
}

export interface Ladder {
  /** Unit of `after`. A round is a later message of the role `user`. */
  by: "time" | "rounds";
  rungs: Rung[];
}

const HOUR = 3600;
const DAY = 24 * HOUR;

export const DEFAULT_LADDER: Ladder = {
  by: "time",
  rungs: [
    { form: "text", after: 0 },
    { form: "gundam", after: HOUR },
    { form: "large", after: DAY },
    { form: "base", after: 7 * DAY },
    { form: "small", after: 30 * DAY },
    { form: "tiny", after: 365 * DAY },
  ],
};

/** @returns why the ladder is invalid, or `null` */
export function ladderFault({ rungs }: Ladder): string | null {
  if (rungs[0]?.after !== 0) return "the first rung must have `after` 0";
  for (let i = 1; i < rungs.length; i++) {
    const [above, below] = [rungs[i - 1], rungs[i]] as [Rung, Rung];
    if (below.after <= above.after) return "`after` must increase from rung to rung";
    if (FORMS.indexOf(below.form) <= FORMS.indexOf(above.form))
      return `forms must follow the order ${FORMS.join(", ")}`;
  }
  return null;
}

/** A message that is still text, or an image with all its messages. It ages as a whole. */
export interface Unit {
  /** Index of its rung. */
  rung: number;
  /** Seconds or rounds since its newest message. */
  age: number;
  pinned: boolean;
  /** 0 to 1. At 1 the unit ages ten times more slowly. */
  importance: number;
  /** Expected tokens on each rung. */
  costs: number[];
}

const SLOWEST = 0.1;
/** Factor for a memory's age: 1 for importance 0, 0.1 for importance 1. */
export const ageingSpeed = (importance: number) => 1 - (1 - SLOWEST) * importance;

const effectiveAge = (unit: Unit) => unit.age * ageingSpeed(unit.importance);

/** The rung for a memory's age; never above its current rung. */
export function dueRung({ rungs }: Ladder, unit: Unit): number {
  if (unit.pinned) return unit.rung;
  const age = effectiveAge(unit);
  const due = rungs.findLastIndex(({ after }) => after <= age);
  return Math.max(unit.rung, due);
}

/** Seconds until a memory is due for the next rung; `null` if time alone never makes it due. */
export function nextDue(ladder: Ladder, unit: Unit): number | null {
  if (unit.pinned || ladder.by !== "time") return null;
  const next = ladder.rungs[dueRung(ladder, unit) + 1];
  return next ? next.after / ageingSpeed(unit.importance) - unit.age : null;
}

export interface Target {
  rung: number;
  /** Whether the budget requires this rung, not the age. */
  pressed: boolean;
}

/**
 * The target rung of each memory: the rung for its age, or a lower one if the budget requires it. Each pass
 * moves memories down by one rung that saves tokens, the oldest first, until the budget is met. So among memories
 * of equal cost and importance, none is on a lower rung than an older one.
 * @param units in any order
 */
export function targets(ladder: Ladder, units: Unit[], budget: number | null): Target[] {
  const found = units.map((unit) => ({ rung: dueRung(ladder, unit), pressed: false }));
  if (budget === null) return found;
  const cost = (i: number, rung: number) => (units[i] as Unit).costs[rung] as number;
  let total = found.reduce((sum, { rung }, i) => sum + cost(i, rung), 0);
  const oldestFirst = units
    .map((unit, i) => ({ i, pinned: unit.pinned, age: effectiveAge(unit) }))
    .filter(({ pinned }) => !pinned)
    .sort((a, b) => b.age - a.age || a.i - b.i)
    .map(({ i }) => i);
  for (let moved = true; moved; ) {
    moved = false;
    for (const i of oldestFirst) {
      if (total <= budget) return found;
      const target = found[i] as Target;
      const here = cost(i, target.rung);
      const next = ladder.rungs.findIndex((_, r) => r > target.rung && cost(i, r) < here);
      if (next < 0) continue;
      total -= here - cost(i, next);
      target.rung = next;
      target.pressed = moved = true;
    }
  }
  return found;
}
