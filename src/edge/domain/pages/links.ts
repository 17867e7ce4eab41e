/**
 * Links in the text of a page. The stored Markdown has none; the worker says where the words of each stand
 * (docs/decisions/0049).
 */
import { countCodePoints } from "./code-points.ts";
import type { PageResult, StoredReading } from "./page-result.ts";
import { type Edit, edited } from "./presentation.ts";

type Block = PageResult["blocks"][number];
type Span = [start: number, end: number];

/** The page with its links in the Markdown, and in the HTML and the Markdown of its tables. */
export function withLinks(reading: StoredReading): StoredReading {
  const { blocks, markdown, hyperlinks: links = [] } = reading;
  if (links.every(({ place }) => !place)) return reading;
  const tables = new Map(
    blocks.flatMap((block) => (block.type === "table" ? [[block.id, block]] : [])),
  );
  const isInHtml = (block: number | null) =>
    block !== null && tables.get(block)?.html !== undefined;
  const edits = editsOf(
    markdown,
    links.flatMap(({ url, block, place }) =>
      place ? [{ place, write: isInHtml(block) ? inHtml(url) : inMarkdown(url) }] : [],
    ),
  );
  const moved = shifts(edits);
  return {
    ...reading,
    markdown: edited(markdown, edits),
    blocks: blocks.map((block) => {
      const own = links.filter((link) => link.block === block.id);
      if (block.type === "table" && own.length > 0) return moved(linkedTable(block, own));
      return moved(block);
    }),
  };
}

function linkedTable(table: Block, links: NonNullable<StoredReading["hyperlinks"]>): Block {
  const { html, markdown, place: at } = table;
  const inTable = links.flatMap(({ url, place }) =>
    at && place && place[0] >= at[0] && place[1] <= at[1]
      ? [{ place: [place[0] - at[0], place[1] - at[0]] as Span, write: inHtml(url) }]
      : [],
  );
  const inPipes = links.flatMap(({ url, table_place: place }) =>
    place ? [{ place, write: inMarkdown(url) }] : [],
  );
  return {
    ...table,
    ...(html !== undefined && { html: edited(html, editsOf(html, inTable)) }),
    ...(markdown !== undefined && { markdown: edited(markdown, editsOf(markdown, inPipes)) }),
  };
}

/** Ends with `!`, which makes the link behind it an image that is fetched unasked, or with a backslash that escapes it. */
const CHANGES_BRACKET = /(?<!\\)(?:\\\\)*[!\\]$/;

/** Edits in order, without those that overlap an earlier one or lie outside. */
function editsOf(text: string, links: { place: Span; write: (words: string) => string }[]): Edit[] {
  const points = [...text];
  const edits: Edit[] = [];
  let last = 0;
  for (const { place, write } of links.toSorted((a, b) => a.place[0] - b.place[0])) {
    const [start, end] = place;
    if (start < last || end <= start || end > points.length) continue;
    const link = write(points.slice(start, end).join(""));
    const before = points.slice(last, start).join("");
    if (link.startsWith("[") && CHANGES_BRACKET.test(before))
      edits.push({ start: start - 1, end: start, text: `\\${before.at(-1)}` });
    edits.push({ start, end, text: link });
    last = end;
  }
  return edits;
}

/** Moves the place of a block by what the edits before its ends have added. */
function shifts(edits: Edit[]): (block: Block) => Block {
  const grown = edits.map(({ start, end, text }) => ({
    end,
    by: countCodePoints(text) - (end - start),
  }));
  const moved = (place: number) =>
    grown.reduce((sum, { end, by }) => sum + (end <= place ? by : 0), place);
  return (block) =>
    block.place ? { ...block, place: [moved(block.place[0]), moved(block.place[1])] } : block;
}

/** A link around words that are Markdown already. What would end its text or its address is escaped. */
export const inMarkdown = (url: string) => (words: string) => {
  const text = words.replaceAll(/\\[\s\S]|[[\]\\]/g, (found) =>
    found.length > 1 ? found : `\\${found}`,
  );
  const address = url
    .replaceAll(/[()|\\`]/g, (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll(/&(?=#?\w+;)/g, "&amp;");
  return `[${text}](${address})`;
};

const inHtml = (url: string) => (words: string) =>
  `<a href="${url.replaceAll("&", "&amp;").replaceAll('"', "&quot;")}">${words}</a>`;
