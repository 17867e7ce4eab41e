/** A view of a memory as a list of messages that a provider's API takes. */
export { asAnthropic } from "./export/anthropic.ts";
export { asGemini } from "./export/gemini.ts";
export { asOpenAI } from "./export/openai.ts";
export {
  type AsOptions,
  escapeLabels,
  GUARD,
  type ImageItem,
  imageTexts,
  indexText,
  pageLabels,
  type SummaryItem,
  sidecarText,
  summaryText,
  type ViewItem,
  type ViewPage,
} from "./export/turns.ts";
