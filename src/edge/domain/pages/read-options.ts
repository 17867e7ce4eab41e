/** Checks the reading options of a request or manifest line against what the reader supports. */
import { canonicalTags } from "./languages.ts";
import {
  ENCODE,
  type Mode,
  reader,
  type Sequence,
  type Task,
  type TextLayer,
  TRANSCRIPTIONS,
  WITNESS,
} from "./models.ts";
import type { ReadOptions } from "./page-key.ts";
import { formatSelection, type PageSelection } from "./page-selection.ts";

export const MAX_TOKEN_BUDGET = 100_000_000;

export interface WantedOptions {
  model?: string;
  mode: Mode;
  token_budget?: number;
  witness?: boolean;
  text_layer?: TextLayer;
  sequence?: Sequence;
  languages?: string[];
  task: Task;
  prompt?: string;
  dpi: number;
  tokens?: "keep" | "none";
}

interface OptionFault {
  code: "unknown-model" | "unsupported-option" | "invalid-request";
  message: string;
}

/**
 * @param selection the pages that share a token budget
 * @param offered models of the deployment, and the default model
 */
export function readOptions(
  wanted: WantedOptions,
  selection: PageSelection,
  offered: { models: string[]; fallback: string },
): ReadOptions | OptionFault {
  const model = wanted.model ?? offered.fallback;
  const fault = (code: OptionFault["code"], message: string) => ({ code, message });
  if (!offered.models.includes(model))
    return fault("unknown-model", `Choose one of ${offered.models.join(", ")}.`);
  const { tasks, modes, budgets, prompts, tokens, documents, layers, draws, languages } =
    reader(model);
  if (wanted.token_budget !== undefined && wanted.mode !== "auto")
    return fault("invalid-request", "A `token_budget` chooses the modes: leave `mode` out.");
  if (modes.length > 0 && !modes.includes(wanted.mode))
    return fault("unsupported-option", `${model} has the modes ${modes.join(", ")}.`);
  if (wanted.token_budget !== undefined && modes.length > 0 && !budgets)
    return fault("unsupported-option", `${model} takes no token budget.`);
  if (wanted.witness) {
    if (model === WITNESS || draws || !offered.models.includes(WITNESS))
      return fault("unsupported-option", `There is no witness for ${model} here.`);
    if (!TRANSCRIPTIONS.includes(wanted.task))
      return fault(
        "unsupported-option",
        `A witness can check the tasks ${TRANSCRIPTIONS.join(", ")}.`,
      );
  }
  if (wanted.text_layer === "only" && !layers)
    return fault("unsupported-option", `${model} does not take characters from text layers.`);
  if (!tasks.includes(wanted.task))
    return fault("unsupported-option", `${model} has the tasks ${tasks.join(", ")}.`);
  if (wanted.tokens === "keep" && !tokens)
    return fault("unsupported-option", `${model} has no vision tokens that could be kept.`);
  if (wanted.task === ENCODE && (wanted.tokens === "none" || wanted.prompt !== undefined))
    return fault("invalid-request", "The task `encode` keeps vision tokens and asks nothing.");
  if (wanted.prompt !== undefined && !prompts)
    return fault("unsupported-option", `${model} takes no prompt.`);
  if (wanted.task === "locate" && wanted.prompt === undefined)
    return fault("invalid-request", "The task `locate` needs a `prompt`: what to look for.");
  if (wanted.sequence === "document") {
    if (!documents)
      return fault("unsupported-option", `${model} reads each page in a sequence of its own.`);
    if (wanted.mode !== "auto" || wanted.task !== "markdown" || wanted.prompt !== undefined)
      return fault(
        "unsupported-option",
        "With `sequence: document`, the mode is `auto` and the task `markdown`, without a prompt.",
      );
    if (wanted.token_budget !== undefined || wanted.tokens === "keep")
      return fault(
        "unsupported-option",
        "`sequence: document` takes no token budget and keeps no vision tokens.",
      );
  }
  return {
    model,
    mode: modes.length > 0 ? wanted.mode : "auto",
    task: wanted.task,
    prompt: wanted.prompt ?? null,
    dpi: wanted.dpi,
    budget:
      budgets && wanted.token_budget !== undefined
        ? { tokens: wanted.token_budget, pages: formatSelection(selection) }
        : null,
    witness: wanted.witness ?? false,
    ...(layers && wanted.text_layer !== "auto" && { text_layer: wanted.text_layer }),
    ...(wanted.sequence === "document" && { sequence: "document" }),
    ...(languages &&
      wanted.languages?.length && { languages: canonicalTags(wanted.languages) ?? [] }),
  };
}
