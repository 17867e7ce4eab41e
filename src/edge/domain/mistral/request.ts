/** What Mistral's requests mean here: names of models, and pages, which start at 0 there. */
import { formatSelection, type PageSelection } from "../pages/page-selection.ts";

/** Mistral's name of its newest model. */
export const MISTRAL_OCR = "mistral-ocr-latest";

/** `mistral-ocr-latest`, `mistral-document-ai-2512`, …: these names, and none at all, mean the default model. */
export const meansDefault = (model: string | null | undefined): boolean =>
  model == null || /^mistral-(ocr|document-ai)(-[a-z0-9]+)*$/.test(model);

export interface Models {
  names: string[];
  /** The default model. */
  fallback: string;
}

/** @returns the model that a name means, or what is wrong with the name */
export function modelOf(
  name: string | null | undefined,
  { names, fallback }: Models,
): { model: string } | { fault: string } {
  const model = meansDefault(name) ? fallback : (name as string);
  if (names.includes(model)) return { model };
  const fault = `${model} is not available. There are ${names.join(", ")}; ${MISTRAL_OCR} means ${fallback}.`;
  return { fault };
}

const MAX_PAGE = 999_999;

/**
 * @param pages `[0, 2, 3]` or `"0,2-3"`
 * @returns the selection in our own words, `1,3-4`; or what is wrong with it
 */
export function selectionOf(pages: number[] | string): { selection: string } | { fault: string } {
  const parts = typeof pages === "string" ? pages.split(",") : pages.map(String);
  const ranges: PageSelection = [];
  for (const part of parts) {
    const match = /^\s*(\d{1,6})\s*(?:-\s*(\d{1,6})\s*)?$/.exec(part);
    if (!match) {
      const shown = part.trim().slice(0, 40);
      return { fault: `"${shown}" is not a page from 0 to ${MAX_PAGE} or a range such as 2-4` };
    }
    const first = Number(match[1]);
    const last = match[2] === undefined ? first : Number(match[2]);
    if (last < first) return { fault: `"${part.trim()}" runs backwards` };
    const before = ranges.at(-1);
    if (before?.last === first) before.last = last + 1;
    else ranges.push({ first: first + 1, last: last + 1 });
  }
  if (ranges.length === 0) return { fault: "no page is selected" };
  return { selection: formatSelection(ranges) };
}
