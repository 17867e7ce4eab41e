/**
 * How a memory fades: the ladder of the DeepSeek-OCR paper (arXiv 2510.18234, section 5 and figure 13),
 * from text over ever smaller page images. Ageing is a pure function of ages, sizes, pins, importance
 * and a token budget. What has gone down a rung never comes up again.
 */
import { IMAGE_MODES } from "./vision-tokens.ts";

/** From crystal clear to almost gone. */
export const FORMS = ["text", ...IMAGE_MODES] as const;
export type Form = (typeof FORMS)[number];

interface Rung {
  form: Form;
  /** Seconds, or rounds, from which on a memory is due for it. */
  after: number;
}

export interface Ladder {
  /** A round is a message of the role `user` that came later. */
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

/** @returns what is wrong with a ladder, or `null` */
export function ladderFault({ rungs }: Ladder): string | null {
  if (rungs[0]?.after !== 0) return "the first rung is `after` 0";
  for (let i = 1; i < rungs.length; i++) {
    const [above, below] = [rungs[i - 1], rungs[i]] as [Rung, Rung];
    if (below.after <= above.after) return "each rung comes `after` the one above it";
    if (FORMS.indexOf(below.form) <= FORMS.indexOf(above.form))
      return `forms go down: ${FORMS.join(", ")}`;
  }
  return null;
}

/** What ages as one: a message that is still text, or an image with all the messages in it. */
export interface Unit {
  /** Index of its rung. */
  rung: number;
  /** Seconds or rounds since the newest of its messages. */
  age: number;
  pinned: boolean;
  /** 0 to 1. At 1 it ages at a tenth of the speed. */
  importance: number;
  /** Tokens on each rung of the ladder, as far as they are known beforehand. */
  costs: number[];
}

const SLOWEST = 0.1;
/** The part of a memory's age that counts. */
export const ageingSpeed = (importance: number) => 1 - (1 - SLOWEST) * importance;

const effectiveAge = (unit: Unit) => unit.age * ageingSpeed(unit.importance);

/** The rung that a memory's age asks for; never above the one where it is. */
export function dueRung({ rungs }: Ladder, unit: Unit): number {
  if (unit.pinned) return unit.rung;
  const age = effectiveAge(unit);
  const due = rungs.findLastIndex(({ after }) => after <= age);
  return Math.max(unit.rung, due);
}

/** Seconds from now until a memory is due for another rung; `null`: never, by time alone. */
export function nextDue(ladder: Ladder, unit: Unit): number | null {
  if (unit.pinned || ladder.by !== "time") return null;
  const next = ladder.rungs[dueRung(ladder, unit) + 1];
  return next ? next.after / ageingSpeed(unit.importance) - unit.age : null;
}

export interface Target {
  rung: number;
  /** Whether the budget, not its age, has sent it there. */
  pressed: boolean;
}

/**
 * Where each memory is to go: what its age asks for, and with a budget further down, the oldest first.
 * In each pass every memory gives way by one rung that saves tokens, so that of those that cost alike and
 * are equally important none is fainter than an older one.
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
