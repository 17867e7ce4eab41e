/** A part of a job's text that is small enough for the context of a language model, and where the next part begins. */
import type { Env } from "../bindings.ts";
import { cut } from "../domain/pages/cut.ts";
import type { PageEntry } from "../domain/pages/page-result.ts";
import { VIEWS } from "../formats/views/index.ts";
import type { Job } from "../storage/jobs.ts";
import { type PageRange, pageList, pagesFrom } from "./page-range.ts";
import { presentedEntries } from "./present.ts";
import { openResult } from "./result.ts";

export const EXCERPT_FORMATS = ["markdown", "text", "json"] as const;
export type ExcerptFormat = (typeof EXCERPT_FORMATS)[number];

export interface Excerpt {
  text: string;
  /** What to ask for next; `null` if the text is complete. */
  next: { pages: string; offset: number } | null;
}

/** A page in each format, and what is between two pages. */
const FORMATS: Record<ExcerptFormat, { write: (entry: PageEntry) => string; gap: string }> = {
  markdown: { write: (entry) => VIEWS.md().page(entry, true) as string, gap: "\n" },
  text: { write: (entry) => VIEWS.txt().page(entry, true) as string, gap: "\f" },
  json: { write: blockLines, gap: "" },
};

/** One line of JSON for each block. */
function blockLines({ page, result, error }: PageEntry): string {
  if (error) return `${JSON.stringify({ page, error })}\n`;
  const lines: object[] = result.blocks.map(({ id, type, bbox, text }) => ({
    page,
    id,
    type,
    bbox,
    text,
  }));
  if (lines.length === 0) lines.push({ page, text: result.markdown });
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
}

/**
 * @param job whose pages are counted
 * @param range the pages to show. The text ends before the first one that is pending, so that it has no gap
 * @param limits `offset`: of the first page, code units to leave out · `room`: most code units · `most`: most pages
 * @throws Problem `gone`
 */
export async function excerpt(
  env: Env,
  job: Job,
  range: PageRange,
  format: ExcerptFormat,
  { offset, room, most }: { offset: number; room: number; most: number },
): Promise<Excerpt> {
  const { ready, pending } = range;
  const [firstPending = Number.POSITIVE_INFINITY] = pending;
  const now = ready.filter((page) => page < firstPending).slice(0, most);
  const from = (page: number, offset: number) => ({ pages: pagesFrom(range, page), offset });
  const rest = Math.min(ready[now.length] ?? firstPending, firstPending);
  const after = Number.isFinite(rest) ? from(rest, 0) : null;
  if (now.length === 0) return { text: "", next: after };
  const { write, gap } = FORMATS[format];
  // The same page has the same text in every part, so tables of several pages are not joined.
  const form = { ...job.presentation, figures: "none" as const, join_tables: false };
  const { entries } = await openResult(env, job, pageList(now));
  let text = "";
  let isFirst = true;
  for await (const entry of presentedEntries(env, job, entries, form)) {
    const left = room - text.length - gap.length;
    if (!isFirst && left < 2) return { text, next: from(entry.page, 0) };
    const { part, next } = cut(write(entry), isFirst ? offset : 0, isFirst ? room : left);
    text += isFirst ? part : gap + part;
    if (next !== null) return { text, next: from(entry.page, next) };
    isFirst = false;
  }
  return { text, next: after };
}
