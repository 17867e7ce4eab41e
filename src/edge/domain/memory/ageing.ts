/**
 * Plans one step of ageing: which runs of messages are rendered into images, grouped into full documents, and
 * which images are rendered again in a smaller mode.
 */
import { type Ladder, type Target, targets, type Unit } from "./ladder.ts";
import { sheetCost } from "./sheets.ts";
import { type ImageMode, validTokens } from "./vision-tokens.ts";

/** A message that is still text, or an image with all its messages. */
export interface Memory extends Unit {
  /** Text tokens. */
  tokens: number;
  isImage: boolean;
}

interface AgeingPlan {
  /** Neighbouring messages that become one image. */
  renders: { indices: number[]; rung: number }[];
  /** Images that are rendered again in a smaller mode. */
  steps: { index: number; rung: number }[];
  /** Expected tokens of the context afterwards. */
  tokens: number;
}

/**
 * Text tokens of a full document. This is the size of an ordinary page, so that the precision that the paper measured
 * applies on every rung: Tiny then has a compression of 14. With pages as full as Gundam allows, it would be 60.
 */
export const DOCUMENT_TOKENS = 900;
/** Maximum number of documents per image, so that old and new messages age separately. */
export const MAX_DOCUMENTS = 4;
/** How full the documents of a run must be if the run can wait for more messages. */
const FULL = 0.75;

const isImage = (ladder: Ladder, rung: number) => ladder.rungs[rung]?.form !== "text";

/** Costs of a text message on each rung. @param tokens of its text */
export const textCosts = (ladder: Ladder, tokens: number): number[] =>
  ladder.rungs.map(({ form }) =>
    form === "text" ? tokens : (tokens / DOCUMENT_TOKENS) * documentCost(form, DOCUMENT_TOKENS),
  );

/** Costs of an image on each rung. @param rung its current rung, where the cost is the counted one */
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

/** Vision tokens of a text that is cut into documents. @param tokens of the text */
export function documentCost(mode: ImageMode, tokens: number): number {
  const full = Math.floor(tokens / DOCUMENT_TOKENS);
  return full * sheetCost(mode, DOCUMENT_TOKENS) + sheetCost(mode, tokens - full * DOCUMENT_TOKENS);
}

/**
 * Some text stays text, because its image would cost more or its pages are not full, and it still counts for
 * the budget. So the goal is lowered until the context is within the budget or nothing more can age.
 * @param memories in their order in the context
 */
export function planAgeing(ladder: Ladder, memories: Memory[], budget: number | null): AgeingPlan {
  for (let goal = budget, factor = 1; ; factor *= 2) {
    const plan = buildPlan(ladder, memories, targets(ladder, memories, goal));
    if (budget === null || goal === null || goal === 0 || plan.tokens <= budget) return plan;
    goal = Math.max(0, goal - (plan.tokens - budget) * factor);
  }
}

function buildPlan(ladder: Ladder, memories: Memory[], aims: Target[]): AgeingPlan {
  const plan: AgeingPlan = { renders: [], steps: [], tokens: 0 };
  let run: number[] = [];
  const flush = () => {
    if (run.length > 0) addRun(ladder, memories, aims, run, plan);
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

/** Adds a run of messages to the plan: the part that is rendered, and the part that stays text. */
function addRun(
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
  let rendered = run.length;
  if (mayWait)
    while (rendered > 0) {
      const tokens = tokensOf(run.slice(0, rendered));
      if (tokens >= FULL * Math.ceil(tokens / DOCUMENT_TOKENS) * DOCUMENT_TOKENS) break;
      rendered--;
    }
  plan.tokens += tokensOf(run.slice(rendered));

  for (const indices of pieces(run.slice(0, rendered), memories)) {
    const tokens = tokensOf(indices);
    const image = documentCost(mode, tokens);
    if (image < tokens) plan.renders.push({ indices, rung });
    plan.tokens += Math.min(image, tokens);
  }
}

/** Cuts a run into pieces of at most `MAX_DOCUMENTS` documents, without splitting a message. */
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
