/** The formats of a result, and saving a result in one of them. */
import { ProblemError } from "./api.js";
import { h } from "./dom.js";
import { isOver } from "./reading.js";

/** @typedef {{label: string, extension: string, text?: boolean}} Format `text`: can be copied */

/** @type {Record<string, Format>} by the name in `GET /v1/jobs/{id}/result?format=` */
export const FORMATS = {
  md: { label: "Markdown", extension: "md", text: true },
  mdzip: { label: "Markdown and figures (ZIP)", extension: "zip" },
  txt: { label: "Plain text", extension: "txt", text: true },
  html: { label: "HTML", extension: "html", text: true },
  json: { label: "JSON", extension: "json", text: true },
  chunks: { label: "Chunks for retrieval (JSON Lines)", extension: "jsonl", text: true },
  docling: { label: "DoclingDocument (JSON)", extension: "docling.json", text: true },
  docx: { label: "Word", extension: "docx" },
  csv: { label: "All tables as CSV", extension: "csv", text: true },
  xlsx: { label: "All tables as Excel", extension: "xlsx" },
  pdf: { label: "Searchable PDF", extension: "pdf" },
  overlay: { label: "PDF with boxes", extension: "overlay.pdf" },
  hocr: { label: "hOCR", extension: "hocr", text: true },
  alto: { label: "ALTO XML", extension: "alto.xml", text: true },
};

/**
 * The result in a format. The formats that need page images have them made first.
 * @param {import("./api.js").Api} api
 * @param {string} job
 * @param {string} format
 * @param {string} pages a selection; empty: all
 * @returns {Promise<Response>}
 */
export async function fetchResult(api, job, format, pages) {
  try {
    return await api.result(job, format, pages);
  } catch (error) {
    if (!(error instanceof ProblemError) || error.code !== "page-images-missing" || !error.request)
      throw error;
    const images = await api.start(error.request, { wait: 60 });
    const { signal } = new AbortController();
    if (!isOver(images.state)) for await (const _ of api.events(images.id, signal));
    return api.result(job, format, pages);
  }
}

/** @param {Blob} blob @param {string} name */
export function download(blob, name) {
  const href = URL.createObjectURL(blob);
  h("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

/** @param {string} text @throws ProblemError if the browser refuses */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    throw new ProblemError({
      title: "Not copied",
      detail: "The browser does not allow it here. Download it instead.",
    });
  }
}

/** The name of a document without its ending. @param {string} name */
export const stem = (name) => name.replace(/\.[a-z0-9]{1,5}$/i, "") || "document";
