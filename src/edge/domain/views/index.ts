/** The formats of a result. Each is a view of the same pages, written page by page so that it can be streamed. */
import type { PageEntry } from "../page-result.ts";
import { html } from "./html.ts";
import { json } from "./json.ts";
import { markdown } from "./markdown.ts";
import { text } from "./text.ts";

export interface View {
  mediaType: string;
  head(job: { jobId: string; fileId: string }): string;
  page(entry: PageEntry, first: boolean): string;
  tail(): string;
}

export const VIEWS = { json, md: markdown, html, txt: text } satisfies Record<string, View>;
export type ViewName = keyof typeof VIEWS;
