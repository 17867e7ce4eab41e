/**
 * A stored reading as a page of Mistral's OCR API. Boxes are pixels of the page's raster. Images and tables are numbered
 * over the whole answer, so that the pages' Markdown can be joined.
 */
import { ChosenFigures, type FigureChoice } from "../pages/figure-choice.ts";
import type { PageResult, StoredReading } from "../pages/page-result.ts";
import { unescaped, withoutParagraph } from "../pages/paragraphs.ts";
import { type Edit, edited } from "../pages/presentation.ts";

type Block = PageResult["blocks"][number];

export const CONFIDENCES = ["page", "block", "word"] as const;

/** What a request chooses about the answer. */
export interface MistralForm extends FigureChoice {
  /** `null`: tables stay in the Markdown. */
  tableFormat: "markdown" | "html" | null;
  includeBlocks: boolean;
  extractHeader: boolean;
  extractFooter: boolean;
  confidence: (typeof CONFIDENCES)[number] | null;
  includePictures: boolean;
}

interface Box {
  top_left_x: number;
  top_left_y: number;
  bottom_right_x: number;
  bottom_right_y: number;
}

interface WordScore {
  text: string;
  confidence: number;
  start_index: number;
}

interface Image extends Box {
  id: string;
  image_base64: string | null;
  image_annotation: string | null;
}

interface Table {
  id: string;
  content: string;
  format: "markdown" | "html";
  word_confidence_scores: WordScore[] | null;
}

export interface MistralPage {
  index: number;
  markdown: string;
  images: Image[];
  dimensions: { dpi: number; height: number; width: number } | null;
  tables: Table[];
  hyperlinks: string[];
  header: string | null;
  footer: string | null;
  blocks: (Box & { type: string; content: string })[] | null;
  confidence_scores: {
    average_page_confidence_score: number;
    minimum_page_confidence_score: number;
    word_confidence_scores?: WordScore[];
  } | null;
}

/** Images have no resolution of their own: one pixel is one point, as when they are printed. */
const IMAGE_DPI = 72;

/** Types that have another name there. That of a page number depends on its place. */
const TYPES: Partial<Record<Block["type"], string>> = {
  sub_title: "title",
  table_caption: "caption",
  image_caption: "caption",
  footnote: "aside_text",
};

/** Writes the pages of one answer, in order. */
export class MistralPages {
  readonly #form: MistralForm;
  readonly #chosen: ChosenFigures;
  #images = 0;
  #tables = 0;

  constructor(form: MistralForm) {
    this.#form = form;
    this.#chosen = new ChosenFigures(form);
  }

  /** The images of a page that the answer has. To be called once for each page, before `page`. */
  imagesOf(reading: StoredReading): Map<Block, string> {
    const images = new Map<Block, string>();
    for (const block of this.#chosen.of(reading)) {
      const ending = block.figure?.media_type === "image/png" ? "png" : "jpeg";
      images.set(block, `img-${this.#images++}.${ending}`);
    }
    return images;
  }

  /**
   * @param images as `imagesOf` returns them
   * @param pictures `data:` URLs by the ids of the blocks; other addresses stand for pictures that the answer has no room for
   * @param annotations data of images as JSON, by the ids of the blocks
   */
  page(
    reading: StoredReading,
    images: ReadonlyMap<Block, string>,
    pictures: ReadonlyMap<number, string> = new Map(),
    annotations: ReadonlyMap<number, string> = new Map(),
  ): MistralPage {
    const form = this.#form;
    const { blocks, width, height } = reading;
    const box = ({ bbox: [x0, y0, x1, y1] }: Block): Box => ({
      top_left_x: Math.round(x0 * width),
      top_left_y: Math.round(y0 * height),
      bottom_right_x: Math.round(x1 * width),
      bottom_right_y: Math.round(y1 * height),
    });
    const tables = new Map(
      blocks.flatMap((block) => {
        const table = this.#table(block);
        return table ? [[block, table]] : [];
      }),
    );
    const edits = blocks.flatMap((block): Edit[] => {
      if (!block.place) return [];
      const [start, end] = block.place;
      const id = images.get(block) ?? tables.get(block)?.id;
      if (id) return [{ start, end, text: `${images.has(block) ? "!" : ""}[${id}](${id})` }];
      // Without `table_format` tables stay where they are, in Markdown if it can express them.
      if (block.type === "table" && block.markdown) return [{ start, end, text: block.markdown }];
      return [];
    });
    let markdown = edited(reading.markdown, edits);
    const header = form.extractHeader ? blocks.filter((block) => typeOf(block) === "header") : [];
    const footer = form.extractFooter ? blocks.filter((block) => typeOf(block) === "footer") : [];
    for (const block of header) markdown = withoutParagraph(markdown, block.text, false);
    for (const block of footer.toReversed())
      markdown = withoutParagraph(markdown, block.text, true);

    const isApart = (block: Block) =>
      tables.has(block) || header.includes(block) || footer.includes(block);
    return {
      index: reading.page - 1,
      markdown,
      images: Array.from(images, ([block, id]) => ({
        id,
        ...box(block),
        image_base64: contained(pictures.get(block.id)),
        image_annotation: annotations.get(block.id) ?? null,
      })),
      dimensions:
        width > 0 && height > 0
          ? { dpi: Math.round(reading.dpi ?? IMAGE_DPI), height, width }
          : null,
      tables: [...tables.values()],
      hyperlinks: hyperlinks(reading),
      header: textOf(header),
      footer: textOf(footer),
      blocks: form.includeBlocks
        ? blocks.map((block) => ({
            type: typeOf(block),
            ...box(block),
            content: tables.get(block)?.content ?? contentOf(block),
            ...(block.type === "image" && { image_id: images.get(block) ?? "" }),
            ...(block.type === "table" && { table_id: tables.get(block)?.id ?? null }),
            ...(form.confidence === "block" && { confidence_scores: blockScores(block) }),
          }))
        : null,
      confidence_scores: this.#scores(
        blocks,
        markdown,
        blocks.filter((block) => !isApart(block)),
      ),
    };
  }

  /** A table that stands apart from the Markdown. One with merged cells, which Markdown lacks, is HTML. */
  #table(block: Block): Table | null {
    const { tableFormat, confidence } = this.#form;
    const { type, html, markdown, place } = block;
    if (type !== "table" || !place || tableFormat === null) return null;
    const format = tableFormat === "html" || markdown === undefined ? "html" : "markdown";
    const content = format === "markdown" ? markdown : html;
    if (content === undefined) return null;
    return {
      id: `tbl-${this.#tables++}.${format === "html" ? "html" : "md"}`,
      content,
      format,
      word_confidence_scores: confidence === "word" ? wordScores([block], content) : null,
    };
  }

  #scores(all: Block[], markdown: string, inMarkdown: Block[]): MistralPage["confidence_scores"] {
    const { confidence } = this.#form;
    if (confidence === null) return null;
    const values = all.flatMap(confidencesOf);
    if (values.length === 0) return null;
    return {
      average_page_confidence_score: mean(values),
      minimum_page_confidence_score: least(values),
      ...(confidence === "word" && {
        word_confidence_scores: wordScores(inMarkdown, markdown),
      }),
    };
  }
}

/** A page that has no result. Its error stands in the Markdown, so that its absence is visible. */
export const failedPage = (page: number, markdown: string, form: MistralForm): MistralPage => ({
  index: page - 1,
  markdown,
  images: [],
  dimensions: null,
  tables: [],
  hyperlinks: [],
  header: null,
  footer: null,
  blocks: form.includeBlocks ? [] : null,
  confidence_scores: null,
});

const contained = (url = "") => (url.startsWith("data:") ? url : null);

const isAtTop = ({ bbox: [, y0, , y1] }: Block) => y0 + y1 < 1;

function typeOf(block: Block): string {
  if (block.type === "page_number") return isAtTop(block) ? "header" : "footer";
  return TYPES[block.type] ?? block.type;
}

function contentOf({ type, text, html, latex }: Block): string {
  if (type === "table") return html ?? text;
  if (type === "equation") return latex ?? text;
  return text;
}

const textOf = (blocks: Block[]) =>
  blocks.length > 0 ? blocks.map(({ text }) => text).join("\n") : null;

/**
 * The addresses of the page's links, then those that are only written on it. Punctuation after these belongs to the
 * sentence.
 */
function hyperlinks({ blocks, hyperlinks: links = [] }: StoredReading): string[] {
  const written = blocks
    .flatMap(({ text }) => text.match(/\bhttps?:\/\/[^\s<>"'()[\]{}]+/g) ?? [])
    .map((address) => address.replace(/[.,;:!?]+$/, ""));
  return [...new Set([...links.map(({ url }) => url), ...written])];
}

/** How far from the last word the next one may stand, in characters. */
const WINDOW = 1000;

/**
 * The words with a confidence, and where they stand in the text: in code points, as in Python. Words that the text has
 * in another form, such as those divided at the end of a line, are left out.
 */
function wordScores(blocks: Block[], text: string): WordScore[] {
  const { plain, at } = unescaped(text);
  const scores: WordScore[] = [];
  let from = 0;
  let unit = 0;
  let point = 0;
  for (const word of blocks.flatMap(wordsOf)) {
    if (word.confidence === null || word.text === "") continue;
    const found = findWord(plain, word.text, from);
    if (found < 0) continue;
    const start = at[found] as number;
    for (; unit < start; point++) unit += (text.codePointAt(unit) as number) > 0xffff ? 2 : 1;
    scores.push({ text: word.text, confidence: word.confidence, start_index: point });
    from = found + word.text.length;
  }
  return scores;
}

/** Where the word stands next, and not within a longer one; -1 if it is not near. */
function findWord(text: string, word: string, from: number): number {
  const near = text.slice(from, from + WINDOW);
  const isJoined = (left = "", right = "") =>
    /[\p{L}\p{N}]$/u.test(left) && /^[\p{L}\p{N}]/u.test(right);
  for (let at = near.indexOf(word); at >= 0; at = near.indexOf(word, at + 1)) {
    const end = at + word.length;
    if (!isJoined(near[at - 1], word) && !isJoined(word, near[end])) return from + at;
  }
  return -1;
}

const wordsOf = ({ lines = [] }: Block) => lines.flatMap(({ words = [] }) => words);

/** The confidences of the block's smallest parts that have one. */
function confidencesOf(block: Block): number[] {
  const { lines = [] } = block;
  for (const parts of [wordsOf(block), lines, [block]]) {
    const known = parts.flatMap(({ confidence }) => confidence ?? []);
    if (known.length > 0) return known;
  }
  return [];
}

function blockScores(block: Block) {
  const values = confidencesOf(block);
  return {
    average_content_confidence_score: values.length > 0 ? mean(values) : null,
    minimum_content_confidence_score: values.length > 0 ? least(values) : null,
    block_type_confidence_score: null,
  };
}

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const least = (values: number[]) => values.reduce((a, b) => Math.min(a, b));
