/**
 * ALTO 4.4 (https://www.loc.gov/standards/alto/): all pages in one file, with blocks, lines and words in pixels. What the
 * reader has not located has no position. A tag of each block names its type.
 */
import {
  BLOCK_TYPES,
  type PageEntry,
  type StoredPageResult,
} from "../../domain/pages/page-result.ts";
import { type Box, blocksOf, type Placed, type PlacedLine, pixels, placedLines } from "./placed.ts";
import type { View } from "./view.ts";
import { escapeXml } from "./xml.ts";

type Block = StoredPageResult["blocks"][number];

const NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#";

export const alto: View = {
  mediaType: "application/xml; charset=utf-8",
  head: () =>
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
    `<alto xmlns="${NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ` +
    `xsi:schemaLocation="${NAMESPACE} https://www.loc.gov/standards/alto/v4/alto-4-4.xsd" SCHEMAVERSION="4.4">` +
    "<Description><MeasurementUnit>pixel</MeasurementUnit>" +
    '<Processing ID="reading"><processingSoftware><softwareName>Fovea</softwareName></processingSoftware></Processing>' +
    `</Description><Tags>${BLOCK_TYPES.map((type) => `<LayoutTag ID="type_${type}" LABEL="${type}"/>`).join("")}</Tags><Layout>\n`,
  page: (entry) => pageXml(entry),
  tail: () => "</Layout></alto>\n",
};

function pageXml({ page, result, error }: PageEntry): string {
  const attributes = `ID="page_${page}" PHYSICAL_IMG_NR="${page}"`;
  if (!result) {
    const comment = `${error.code}: ${error.message}`.replaceAll(/--+/g, "-");
    return `<!-- ${escapeXml(comment)} --><Page ${attributes}/>\n`;
  }
  const whole = pixels([0, 0, 1, 1], result);
  const blocks = blocksOf(result).map((block) => blockXml(result, block));
  return (
    `<Page ${attributes} WIDTH="${result.width}" HEIGHT="${result.height}" PROCESSINGREFS="reading">` +
    `<PrintSpace${position(whole)}>\n${blocks.join("")}</PrintSpace></Page>\n`
  );
}

function blockXml(result: StoredPageResult, block: Block): string {
  const id = `block_${result.page}_${block.id}`;
  const attributes = `TAGREFS="type_${block.type}"${position(pixels(block.bbox, result))}`;
  const lines = placedLines(block).map((line) => lineXml(result, line));
  const text = (name: string) =>
    lines.length > 0
      ? `<TextBlock ID="${name}" ${attributes}>\n${lines.join("")}</TextBlock>\n`
      : "";
  if (block.type !== "image") return text(id);
  // An illustration has no text, so a picture with words is a block of both.
  const picture = `<Illustration ID="${id}_picture" ${attributes}/>\n`;
  return `<ComposedBlock ID="${id}" TYPE="image" ${attributes}>\n${picture}${text(`${id}_text`)}</ComposedBlock>\n`;
}

function lineXml(result: StoredPageResult, { bbox, words }: PlacedLine): string {
  const strings = words.map((word) => stringXml(result, word)).join("<SP/>");
  return `<TextLine${bbox ? position(pixels(bbox, result)) : ""}>${strings}</TextLine>\n`;
}

function stringXml(result: StoredPageResult, { text, bbox, confidence }: Placed): string {
  const sure = confidence === null ? "" : ` WC="${confidence}"`;
  const content = escapeXml(text).replaceAll(/\s/g, " ");
  return `<String CONTENT="${content}"${bbox ? position(pixels(bbox, result)) : ""}${sure}/>`;
}

const position = ([x0, y0, x1, y1]: Box) =>
  ` HPOS="${x0}" VPOS="${y0}" WIDTH="${x1 - x0}" HEIGHT="${y1 - y0}"`;
