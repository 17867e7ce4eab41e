import type { Presentation } from "../../domain/pages/presentation.ts";
import { alto } from "./alto.ts";
import { chunks } from "./chunks.ts";
import { csv } from "./csv.ts";
import { docling } from "./docling/document.ts";
import { docx } from "./docx.ts";
import { hocr } from "./hocr.ts";
import { html } from "./html.ts";
import { json } from "./json.ts";
import { markdown } from "./markdown.ts";
import { markdownZip } from "./markdown-zip.ts";
import { overlayPdf, pdf } from "./pdf.ts";
import { text } from "./text.ts";
import type { View } from "./view.ts";
import { xlsx } from "./xlsx.ts";

/** Each function makes a view for one result, because some views have state. */
export const VIEWS = {
  json: () => json,
  md: () => markdown,
  mdzip: markdownZip,
  html: () => html,
  txt: () => text,
  csv,
  xlsx,
  hocr: () => hocr,
  alto: () => alto,
  chunks,
  docling: () => docling(),
  docx,
  pdf,
  overlay: overlayPdf,
} satisfies Record<string, () => View>;
export type ViewName = keyof typeof VIEWS;

/** Formats that have the places of lines and words where the reader knows them. */
export const PLACES: ReadonlySet<ViewName> = new Set(["hocr", "alto", "pdf", "overlay"]);

type Figures = Presentation["figures"];

/** How a format has the links. HTML and Word documents have no list of them. */
export function linksIn(
  format: ViewName,
  asked: Presentation["hyperlinks"],
): Presentation["hyperlinks"] {
  switch (format) {
    case "json":
    case "md":
    case "mdzip":
    case "docling":
      return asked;
    case "html":
    case "docx":
      return asked === "inline" ? "inline" : "none";
    default:
      return "inline"; // nothing of it is shown
  }
}

/**
 * How a format has the figures. HTML and Word documents are opened where no API key is, so they contain the pictures. In
 * Markdown and JSON they are what the query or the job chooses.
 */
export function figuresIn(format: ViewName, asked: Figures | undefined, ofJob: Figures): Figures {
  switch (format) {
    case "json":
    case "md":
    case "docling":
      return asked ?? ofJob;
    case "html":
      return asked ?? "inline";
    case "docx":
    case "mdzip":
      // The view loads the pictures one by one.
      return asked === "none" ? "none" : "link";
    default:
      return "none";
  }
}
