/** How a document is to be read, as a request or a line of a manifest says it, against what readers can do. */
import { type Mode, reader, type Task } from "./models.ts";
import type { ReadOptions } from "./page-key.ts";

export interface WantedOptions {
  model?: string;
  mode: Mode;
  task: Task;
  prompt?: string;
  dpi: number;
}

export interface OptionFault {
  code: "unknown-model" | "unsupported-option" | "invalid-request";
  message: string;
}

/** @param offered the deployment's models, and the one for requests that name none. */
export function readOptions(
  wanted: WantedOptions,
  offered: { models: string[]; fallback: string },
): ReadOptions | OptionFault {
  const model = wanted.model ?? offered.fallback;
  const fault = (code: OptionFault["code"], message: string) => ({ code, message });
  if (!offered.models.includes(model))
    return fault("unknown-model", `Offered here: ${offered.models.join(", ")}.`);
  const { tasks, modes, prompts } = reader(model);
  if (!tasks.includes(wanted.task))
    return fault("unsupported-option", `${model} has the tasks ${tasks.join(", ")}.`);
  if (wanted.prompt !== undefined && !prompts)
    return fault("unsupported-option", `${model} takes no prompt.`);
  if (wanted.task === "locate" && wanted.prompt === undefined)
    return fault("invalid-request", "The task `locate` needs a `prompt`: what to look for.");
  return {
    model,
    mode: modes ? wanted.mode : "auto",
    task: wanted.task,
    prompt: wanted.prompt ?? null,
    dpi: wanted.dpi,
  };
}
