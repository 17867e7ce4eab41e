/** The formats of a result. Each is a view of the same pages, written page by page so that it can be streamed. */
import type { PageEntry } from "../../domain/pages/page-result.ts";
import { chunks } from "./chunks.ts";
import { csv } from "./csv.ts";
import { docx } from "./docx.ts";
import { html } from "./html.ts";
import { json } from "./json.ts";
import { markdown } from "./markdown.ts";
import { overlayPdf, pdf } from "./pdf.ts";
import { text } from "./text.ts";

/** What is written next: text, or pieces of a file that is none. */
export type Written = string | Uint8Array[];

export interface View {
  mediaType: string;
  /** Whether it shows the pages' pictures. */
  pictures?: true;
  head(job: { jobId: string; fileId: string }): Written;
  /** @param image the page's picture, a PNG, where the view shows `pictures` */
  page(entry: PageEntry, first: boolean, image?: Uint8Array | null): Written;
  tail(): Written;
}

/** Each makes a view for one result: some remember what they have written. */
export const VIEWS = {
  json: () => json,
  md: () => markdown,
  html: () => html,
  txt: () => text,
  csv,
  chunks,
  docx,
  pdf,
  overlay: overlayPdf,
} satisfies Record<string, () => View>;
export type ViewName = keyof typeof VIEWS;
