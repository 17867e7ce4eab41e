/**
 * hOCR 1.2 (https://kba.github.io/hocr-spec/1.2/), as XHTML: pages, areas, lines and words with their boxes in pixels,
 * and confidences in percent. What the reader has not located has no box.
 */
import type { PageEntry, StoredPageResult } from "../../domain/pages/page-result.ts";
import { blocksOf, type Placed, type PlacedLine, pixels, placedLines } from "./placed.ts";
import type { View } from "./view.ts";
import { escapeXml } from "./xml.ts";

type Block = StoredPageResult["blocks"][number];

const CAPABILITIES = [
  "ocr_page",
  "ocr_carea",
  "ocr_par",
  "ocr_line",
  "ocrx_word",
  "ocr_title",
  "ocr_section",
  "ocr_caption",
  "ocr_table",
  "ocr_image",
  "ocr_header",
  "ocr_footer",
  "ocr_pageno",
];

/** The classes of blocks; an area of text is an `ocr_carea`. */
const CLASSES: Partial<Record<Block["type"], string>> = {
  table: "ocr_table",
  image: "ocr_image",
  header: "ocr_header",
  footer: "ocr_footer",
  page_number: "ocr_pageno",
};
/** The classes of paragraphs with a role in the document. */
const ROLES: Partial<Record<Block["type"], string>> = {
  title: "ocr_title",
  sub_title: "ocr_section",
  table_caption: "ocr_caption",
  image_caption: "ocr_caption",
};

export const hocr: View = {
  mediaType: "application/xhtml+xml; charset=utf-8",
  head: () =>
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html>\n' +
    '<html xmlns="http://www.w3.org/1999/xhtml"><head><title></title><meta charset="utf-8"/>' +
    `<meta name="ocr-system" content="Fovea"/><meta name="ocr-capabilities" content="${CAPABILITIES.join(" ")}"/>` +
    "</head><body>\n",
  page: (entry) => pageHtml(entry),
  tail: () => "</body></html>\n",
};

function pageHtml({ page, result, error }: PageEntry): string {
  const open = (...properties: string[]) =>
    `<div class="ocr_page" id="page_${page}" title="ppageno ${page - 1}; ${properties.join("; ")}">`;
  if (!result)
    return `${open("bbox 0 0 0 0")}<p>${escapeXml(`${error.code}: ${error.message}`)}</p></div>\n`;
  const { width, height, dpi } = result;
  const resolution = dpi === null ? [] : [`scan_res ${Math.round(dpi)} ${Math.round(dpi)}`];
  const blocks = blocksOf(result).map((block) => blockHtml(result, block));
  return `${open(`bbox 0 0 ${width} ${height}`, ...resolution)}\n${blocks.join("")}</div>\n`;
}

function blockHtml(result: StoredPageResult, block: Block): string {
  const lines = placedLines(block).map((line, i) => lineHtml(result, block, line, i + 1));
  const { id, type } = block;
  const role = ROLES[type] ? ` ${ROLES[type]}` : "";
  const inside =
    lines.length > 0
      ? `<p class="ocr_par${role}" id="par_${result.page}_${id}"${title(result, block)}>\n${lines.join("\n")}\n</p>`
      : "";
  const name = CLASSES[type] ?? "ocr_carea";
  return `<div class="${name}" id="block_${result.page}_${id}"${title(result, block)}>${inside}</div>\n`;
}

function lineHtml(result: StoredPageResult, block: Block, line: PlacedLine, number: number) {
  const id = `${result.page}_${block.id}_${number}`;
  const isPlaced = line.words.some(({ bbox }) => bbox !== null);
  const words = isPlaced
    ? line.words
        .map(
          (word, i) =>
            `<span class="ocrx_word" id="word_${id}_${i + 1}"${title(result, word)}>${escapeXml(word.text)}</span>`,
        )
        .join(" ")
    : escapeXml(line.words.map(({ text }) => text).join(" "));
  return `<span class="ocr_line" id="line_${id}"${title(result, line)}>${words}</span>`;
}

/** The attribute with what is known. */
function title(page: StoredPageResult, { bbox, confidence }: Pick<Placed, "bbox" | "confidence">) {
  const properties = [
    ...(bbox ? [`bbox ${pixels(bbox, page).join(" ")}`] : []),
    ...(confidence === null ? [] : [`x_wconf ${Math.round(confidence * 100)}`]),
  ];
  return properties.length > 0 ? ` title="${properties.join("; ")}"` : "";
}
