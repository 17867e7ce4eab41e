/**
 * What one turn of ageing does with a context: which runs of messages leave the text, as one document
 * each so that its pages are full, and which images go on to a fainter mode.
 */
import { type Ladder, type Target, targets, type Unit } from "./ladder.ts";
import { type ImageMode, validTokens } from "./vision-tokens.ts";

/** A message that is still text, or an image with all the messages in it. */
export interface Memory extends Unit {
  /** Text tokens. */
  tokens: number;
  isImage: boolean;
}

export interface AgeingPlan {
  /** Neighbouring messages that become images together. */
  renders: { indices: number[]; rung: number }[];
  /** Images that are read in a fainter mode. */
  steps: { index: number; rung: number }[];
  /** What the context is expected to cost afterwards. */
  tokens: number;
}

/** The pages that `fovea-render` makes: their size in pixels, and text tokens on a full one. */
export const PAGE = { width: 1024, height: 1448, tokens: 1000 };
/** One image holds no more than this, so that old and new do not fade together. */
export const MAX_PAGES = 4;
/** How full the pages of a run have to be, while it can still wait for more. */
const FULL = 0.75;

const isImage = (ladder: Ladder, rung: number) => ladder.rungs[rung]?.form !== "text";

/** @param tokens of a message's text */
export const textCosts = (ladder: Ladder, tokens: number): number[] =>
  ladder.rungs.map(({ form }) =>
    form === "text" ? tokens : (tokens / PAGE.tokens) * pageCost(form),
  );

/** @param rung where the image is; what it costs there is what was counted */
export const imageCosts = (
  ladder: Ladder,
  rung: number,
  pages: { width: number; height: number; tokens: number }[],
): number[] =>
  ladder.rungs.map(({ form }, r) =>
    pages.reduce(
      (sum, { width, height, tokens }) =>
        sum + (r <= rung || form === "text" ? tokens : validTokens(width, height, form)),
      0,
    ),
  );

const pageCost = (mode: ImageMode) => validTokens(PAGE.width, PAGE.height, mode);

/**
 * A budget counts what is left as text because its image would cost more, or its pages are not full:
 * the goal is lowered until the whole is within the budget, or nothing can be done any more.
 * @param memories in their order in the context
 */
export function planAgeing(ladder: Ladder, memories: Memory[], budget: number | null): AgeingPlan {
  for (let goal = budget, factor = 1; ; factor *= 2) {
    const plan = carryOut(ladder, memories, targets(ladder, memories, goal));
    if (budget === null || goal === null || goal === 0 || plan.tokens <= budget) return plan;
    goal = Math.max(0, goal - (plan.tokens - budget) * factor);
  }
}

function carryOut(ladder: Ladder, memories: Memory[], aims: Target[]): AgeingPlan {
  const plan: AgeingPlan = { renders: [], steps: [], tokens: 0 };
  let run: number[] = [];
  const flush = () => {
    if (run.length > 0) leaveText(ladder, memories, aims, run, plan);
    run = [];
  };
  memories.forEach((memory, i) => {
    const { rung } = aims[i] as Target;
    const goes = !memory.isImage && isImage(ladder, rung);
    if (!goes || (run.length > 0 && aims[run[0] as number]?.rung !== rung)) flush();
    if (goes) {
      run.push(i);
      return;
    }
    if (rung > memory.rung) plan.steps.push({ index: i, rung });
    plan.tokens += memory.costs[rung] as number;
  });
  flush();
  return plan;
}

/** Adds a run to the plan: what is rendered of it, and what stays text. */
function leaveText(
  ladder: Ladder,
  memories: Memory[],
  aims: Target[],
  run: number[],
  plan: AgeingPlan,
): void {
  const { rung } = aims[run[0] as number] as Target;
  const cost = pageCost(ladder.rungs[rung]?.form as ImageMode);
  const tokensOf = (indices: number[]) =>
    indices.reduce((sum, i) => sum + (memories[i] as Memory).tokens, 0);
  const pagesOf = (tokens: number) => Math.ceil(tokens / PAGE.tokens);

  const first = ladder.rungs.findIndex((_, r) => isImage(ladder, r));
  const mayWait =
    rung === first && rung < ladder.rungs.length - 1 && !run.some((i) => aims[i]?.pressed);
  let going = run.length;
  if (mayWait)
    while (going > 0) {
      const tokens = tokensOf(run.slice(0, going));
      if (tokens >= FULL * pagesOf(tokens) * PAGE.tokens) break;
      going--;
    }
  plan.tokens += tokensOf(run.slice(going));

  for (const indices of pieces(run.slice(0, going), memories)) {
    const tokens = tokensOf(indices);
    const image = pagesOf(tokens) * cost;
    if (image < tokens) plan.renders.push({ indices, rung });
    plan.tokens += Math.min(image, tokens);
  }
}

/** A run in pieces of at most `MAX_PAGES` pages; a message is never cut. */
function pieces(run: number[], memories: Memory[]): number[][] {
  const found: number[][] = [];
  let filled = 0;
  for (const i of run) {
    const { tokens } = memories[i] as Memory;
    if (found.length === 0 || filled + tokens > MAX_PAGES * PAGE.tokens) {
      found.push([]);
      filled = 0;
    }
    found.at(-1)?.push(i);
    filled += tokens;
  }
  return found;
}
