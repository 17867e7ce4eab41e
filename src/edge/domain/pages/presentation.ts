/**
 * How a stored reading is answered. A page is read and stored once, in full; what is chosen here costs no reading
 * (docs/decisions/0034).
 */
import { z } from "zod";
import { codeUnits } from "./code-points.ts";
import { reader } from "./models.ts";
import type { PageResult, StoredPageResult, StoredReading } from "./page-result.ts";

export const GRANULARITIES = ["block", "line", "word"] as const;
export const TABLE_FORMATS = ["html", "markdown"] as const;
export const FIGURE_FORMS = ["none", "link", "inline"] as const;
export const LINK_FORMS = ["none", "list", "inline"] as const;

/** Fields of a request, without defaults. */
export const presentationFields = {
  granularity: z.enum(GRANULARITIES).meta({
    description:
      "`line` and `word` add the lines of each block, and their words, with boxes and confidences. `fovea-nano` has lines but no words, the other models only blocks",
  }),
  table_format: z.enum(TABLE_FORMATS).meta({
    description:
      "How tables are written in the page's Markdown. `markdown`: as in GitHub's Markdown; the first row is the head. Tables with merged cells, which Markdown lacks, stay HTML",
  }),
  join_tables: z.boolean().meta({
    description:
      "Whether a table that goes on over pages is joined: the page on which it begins has all its rows",
  }),
  figures: z.enum(FIGURE_FORMS).meta({
    description:
      "Whether the page's Markdown shows its figures: `link`: by their addresses, which need the API key · `inline`: as `data:` URLs",
  }),
  hyperlinks: z.enum(LINK_FORMS).meta({
    description:
      "Links of the document. `inline`: in the Markdown, in tables, and in `hyperlinks` of the page · `list`: only there · `none`: nowhere",
  }),
};

/** Pictures that one answer contains, in bytes. Further figures have addresses. */
const MAX_CONTAINED_BYTES = 32 * 1024 ** 2;

/** @returns a function that says whether a picture of so many bytes still fits into an answer, and takes its room */
export function roomForFigures(room = MAX_CONTAINED_BYTES): (bytes: number) => boolean {
  let left = room;
  return (bytes) => {
    const fits = bytes <= left;
    if (fits) left -= bytes;
    return fits;
  };
}

export type Presentation = {
  [field in keyof typeof presentationFields]: z.infer<(typeof presentationFields)[field]>;
};

export const PLAIN: Presentation = {
  granularity: "block",
  table_format: "html",
  join_tables: false,
  figures: "none",
  hyperlinks: "inline",
};

/** The plain form of a page whose Markdown is that of the reader: what the page says, and nothing else. */
export const AS_READ: Presentation = { ...PLAIN, hyperlinks: "none" };

export const isPlain = (form: Presentation): boolean =>
  (Object.keys(PLAIN) as (keyof Presentation)[]).every((field) => form[field] === PLAIN[field]);

/** The form that the fields choose; left out: the plain one. */
export const formOf = (
  fields: { [field in keyof Presentation]?: Presentation[field] | undefined },
) => ({
  granularity: fields.granularity ?? PLAIN.granularity,
  table_format: fields.table_format ?? PLAIN.table_format,
  join_tables: fields.join_tables ?? PLAIN.join_tables,
  figures: fields.figures ?? PLAIN.figures,
  hyperlinks: fields.hyperlinks ?? PLAIN.hyperlinks,
});

/** The finest granularity that the model has. */
export const finestOf = (model: string): Presentation["granularity"] =>
  reader(model).granularities?.at(-1) ?? PLAIN.granularity;

/** @returns why the model cannot be answered in this form; `null` if it can */
export function presentationFault(model: string, { granularity }: Presentation): string | null {
  const { granularities = ["block"] } = reader(model);
  return granularities.includes(granularity)
    ? null
    : `${model} has the granularities ${granularities.join(", ")}.`;
}

/**
 * The page in the form that a request chooses. Its receipt is that of the stored Markdown.
 * @param reading with its links in the Markdown (`withLinks`), if the form wants them there
 * @param figures URLs of the figures to show, by the ids of their blocks
 */
export function present(
  reading: StoredReading,
  form: Presentation,
  figures: ReadonlyMap<number, string> = new Map(),
): StoredPageResult {
  const edits = reading.blocks.flatMap((block) => edit(block, form, figures));
  const { hyperlinks: links, ...others } = reading;
  return {
    ...others,
    blocks: reading.blocks.map((block) => shown(block, form, figures)),
    markdown: edits.length > 0 ? edited(reading.markdown, edits) : reading.markdown,
    ...(links && form.hyperlinks !== "none" && { hyperlinks: shownLinks(reading, links) }),
    error: null, // pages that failed are not stored
  };
}

/** A link whose block is on another page, because its table was joined to one there, stands in none. */
function shownLinks({ blocks }: StoredReading, links: NonNullable<PageResult["hyperlinks"]>) {
  const ids = new Set(blocks.map(({ id }) => id));
  return links.map(({ place: _, table_place: __, ...link }) => {
    if (link.block === null || ids.has(link.block)) return link;
    const { start: ___, ...rest } = link;
    return { ...rest, block: null };
  });
}

type PushedBlock = PageResult["blocks"][number];

function shown(
  block: PushedBlock,
  { granularity }: Presentation,
  figures: ReadonlyMap<number, string>,
) {
  const { markdown: _, place: __, message: ___, lines, figure, ...others } = block;
  const url = figures.get(block.id);
  const rest = { ...others, ...(figure && { figure: { ...figure, ...(url && { url }) } }) };
  if (granularity === "block" || !lines) return rest;
  if (granularity === "word") return { ...rest, lines };
  return { ...rest, lines: lines.map(({ words: _, ...line }) => line) };
}

/** A part of the Markdown, in code points, and what stands there instead. */
export interface Edit {
  start: number;
  end: number;
  text: string;
}

function edit(
  { id, type, place, markdown }: PushedBlock,
  form: Presentation,
  figures: ReadonlyMap<number, string>,
): Edit[] {
  if (!place) return [];
  const [start, end] = place;
  if (type === "table" && form.table_format === "markdown" && markdown !== undefined)
    return [{ start, end, text: markdown }];
  const url = type === "image" && figures.get(id);
  if (url) return [{ start, end, text: `![Figure ${id}](${url})` }];
  return [];
}

/** The Markdown with edits, which are in order and do not overlap. What replaces nothing becomes a part of its own. */
export function edited(markdown: string, edits: Edit[]): string {
  const at = codeUnits(markdown);
  let out = "";
  let last = 0;
  for (const { start, end, text } of edits) {
    const from = at(start);
    out += markdown.slice(last, from);
    last = at(end);
    const isNew = last === from;
    out += isNew && out !== "" && !out.endsWith("\n\n") ? `\n\n${text}` : text;
    if (isNew && last < markdown.length && !markdown.startsWith("\n\n", last)) out += "\n\n";
  }
  return out + markdown.slice(last);
}
