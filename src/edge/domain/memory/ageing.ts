/**
 * What one turn of ageing does with a context: which runs of messages leave the text, in documents
 * that are full, and which images go on to a fainter mode.
 */
import { type Ladder, type Target, targets, type Unit } from "./ladder.ts";
import { sheetCost } from "./sheets.ts";
import { type ImageMode, validTokens } from "./vision-tokens.ts";

/** A message that is still text, or an image with all the messages in it. */
export interface Memory extends Unit {
  /** Text tokens. */
  tokens: number;
  isImage: boolean;
}

interface AgeingPlan {
  /** Neighbouring messages that become images together. */
  renders: { indices: number[]; rung: number }[];
  /** Images that are read in a fainter mode. */
  steps: { index: number; rung: number }[];
  /** What the context is expected to cost afterwards. */
  tokens: number;
}

/**
 * Text tokens of a full document. As many as an ordinary page has, so that what the paper measured holds
 * on the way down: Tiny is then a compression of 14, and not of 60 as on the pages that Gundam can hold.
 */
export const DOCUMENT_TOKENS = 900;
/** An image has no more documents than this, so that old and new do not fade together. */
export const MAX_DOCUMENTS = 4;
/** How full the documents of a run have to be, while it can still wait for more. */
const FULL = 0.75;

const isImage = (ladder: Ladder, rung: number) => ladder.rungs[rung]?.form !== "text";

/** @param tokens of a message's text */
export const textCosts = (ladder: Ladder, tokens: number): number[] =>
  ladder.rungs.map(({ form }) =>
    form === "text" ? tokens : (tokens / DOCUMENT_TOKENS) * documentCost(form, DOCUMENT_TOKENS),
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

/** @param tokens of a text that is cut into documents */
export function documentCost(mode: ImageMode, tokens: number): number {
  const full = Math.floor(tokens / DOCUMENT_TOKENS);
  return full * sheetCost(mode, DOCUMENT_TOKENS) + sheetCost(mode, tokens - full * DOCUMENT_TOKENS);
}

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
  const mode = ladder.rungs[rung]?.form as ImageMode;
  const tokensOf = (indices: number[]) =>
    indices.reduce((sum, i) => sum + (memories[i] as Memory).tokens, 0);

  const first = ladder.rungs.findIndex((_, r) => isImage(ladder, r));
  const mayWait =
    rung === first && rung < ladder.rungs.length - 1 && !run.some((i) => aims[i]?.pressed);
  let going = run.length;
  if (mayWait)
    while (going > 0) {
      const tokens = tokensOf(run.slice(0, going));
      if (tokens >= FULL * Math.ceil(tokens / DOCUMENT_TOKENS) * DOCUMENT_TOKENS) break;
      going--;
    }
  plan.tokens += tokensOf(run.slice(going));

  for (const indices of pieces(run.slice(0, going), memories)) {
    const tokens = tokensOf(indices);
    const image = documentCost(mode, tokens);
    if (image < tokens) plan.renders.push({ indices, rung });
    plan.tokens += Math.min(image, tokens);
  }
}

/** A run in pieces of at most `MAX_DOCUMENTS`; a message is in one piece. */
function pieces(run: number[], memories: Memory[]): number[][] {
  const found: number[][] = [];
  let filled = 0;
  for (const i of run) {
    const { tokens } = memories[i] as Memory;
    if (found.length === 0 || filled + tokens > MAX_DOCUMENTS * DOCUMENT_TOKENS) {
      found.push([]);
      filled = 0;
    }
    found.at(-1)?.push(i);
    filled += tokens;
  }
  return found;
}
