/**
 * The items of a page as Docling's formats have them. Captions belong to their picture or table, a list has an item for
 * each of its lines, and a block of the page's edges is furniture.
 */
import { headingLevel, isHeading } from "../../../domain/pages/headings.ts";
import type { StoredPageResult } from "../../../domain/pages/page-result.ts";
import { captionsOf } from "../figures.ts";
import { type Table, tableOf } from "./table.ts";

type Block = StoredPageResult["blocks"][number];

interface Placed {
  block: Block;
}

export interface TextItem extends Placed {
  kind: "text";
  label: string;
  text: string;
  /** What the document has, if `text` is another form of it. */
  orig: string;
  /** Of a `section_header`, from 1. */
  level?: number;
  furniture: boolean;
}

export interface ListItem extends Placed {
  kind: "list";
  items: { text: string; marker: string; enumerated: boolean }[];
}

export interface PictureItem extends Placed {
  kind: "picture";
  caption: TextItem | null;
  /** The words in the picture. */
  words: TextItem | null;
}

export interface TableItem extends Placed {
  kind: "table";
  caption: TextItem | null;
  table: Table;
}

export type Item = TextItem | ListItem | PictureItem | TableItem;

/** The items in order. A reader without positions has one text. */
export function itemsOf({ blocks, markdown }: StoredPageResult): Item[] {
  if (blocks.length === 0) return markdown.trim() === "" ? [] : [wholeText(markdown.trim())];
  const captions = captionsOf(blocks, ({ type }, caption) => type === OWNERS[caption.type]);
  const owned = new Set(captions.values());
  return blocks
    .filter((block) => !owned.has(block))
    .flatMap((block): Item[] => {
      const caption = captions.get(block);
      return itemOf(block, caption ? textItem(caption, "caption") : null);
    });
}

const OWNERS: Partial<Record<Block["type"], Block["type"]>> = {
  image_caption: "image",
  table_caption: "table",
};

const LABELS = new Map<Block["type"], string>([
  ["image_caption", "caption"],
  ["table_caption", "caption"],
  ["equation", "formula"],
  ["code", "code"],
  ["footnote", "footnote"],
  ["header", "page_header"],
  ["footer", "page_footer"],
]);

function itemOf(block: Block, caption: TextItem | null): Item[] {
  const { type, text } = block;
  if (type === "image") {
    const words = text.trim() === "" ? null : textItem(block, "text");
    return [{ kind: "picture", block, caption, words }];
  }
  const table = type === "table" ? tableOf(block) : null;
  if (table) return [{ kind: "table", block, caption, table }];
  if ((text || block.latex || "").trim() === "") return caption ? [caption] : [];
  if (type === "list") return listsOf(text).map((items) => ({ kind: "list", block, items }));
  const item = isHeading(block) ? heading(block) : textItem(block, labelOf(block));
  return caption ? [caption, item] : [item];
}

/** Docling's title is a heading of its own, above those of level 1. */
function heading(block: Block): TextItem {
  const level = headingLevel(block) - 1;
  if (level === 0) return textItem(block, "title");
  return { ...textItem(block, "section_header"), level };
}

function labelOf({ type, bbox: [, y0, , y1] }: Block): string {
  if (type === "page_number") return y0 + y1 < 1 ? "page_header" : "page_footer";
  return LABELS.get(type) ?? "text";
}

function textItem(block: Block, label: string): TextItem {
  const { text, latex } = block;
  return {
    kind: "text",
    block,
    label,
    text: label === "formula" ? (latex ?? text) : text,
    orig: text || latex || "",
    furniture: label === "page_header" || label === "page_footer",
  };
}

const MARKER = /^\s*([-*•]|(\d{1,3}[.)]))\s+/;

/**
 * The items of a block. A line without a marker goes on with the item above it, unless no line has one. Where numbers follow
 * bullets, or bullets numbers, another list begins.
 */
function listsOf(text: string): ListItem["items"][] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const isMarked = lines.some((line) => MARKER.test(line));
  const lists: ListItem["items"][] = [];
  for (const line of lines) {
    const [written = "", marker = "-", number] = MARKER.exec(line) ?? [];
    const item = {
      text: line.slice(written.length).trim(),
      marker,
      enumerated: number !== undefined,
    };
    const list = lists.at(-1);
    const above = list?.at(-1);
    if (above && isMarked && written === "") above.text += `\n${item.text}`;
    else if (list && above?.enumerated === item.enumerated) list.push(item);
    else lists.push([item]);
  }
  return lists;
}

function wholeText(text: string): TextItem {
  const block: Block = { id: 1, type: "text", bbox: [0, 0, 1, 1], text, confidence: null };
  return textItem(block, "text");
}

/** The size of a page: of a PDF in points, of an image in pixels. `null` if it is not known. */
export function sizeOf({ width, height, dpi }: StoredPageResult): Size | null {
  if (width === 0 || height === 0) return null;
  const scale = dpi === null ? 1 : 72 / dpi;
  return { width: rounded(width * scale), height: rounded(height * scale) };
}

export interface Size {
  width: number;
  height: number;
}

/** A box in the units of the page, from its upper left corner: left, top, right, bottom. */
export const boxOn = ({ width, height }: Size, [x0, y0, x1, y1]: Block["bbox"]) =>
  [x0 * width, y0 * height, x1 * width, y1 * height].map(rounded) as Block["bbox"];

const rounded = (n: number) => Math.round(n * 100) / 100;
