import { chunks } from "./chunks.ts";
import { csv } from "./csv.ts";
import { docx } from "./docx.ts";
import { html } from "./html.ts";
import { json } from "./json.ts";
import { markdown } from "./markdown.ts";
import { overlayPdf, pdf } from "./pdf.ts";
import { text } from "./text.ts";
import type { View } from "./view.ts";

/** Each function makes a view for one result, because some views have state. */
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
