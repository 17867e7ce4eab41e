/** Markdown, plain text and HTML as Docling has them: without headers, footers and page numbers, and without notes of ours. */
import type { PageEntry, StoredPageResult } from "../../../domain/pages/page-result.ts";
import { withoutParagraph } from "../../../domain/pages/paragraphs.ts";
import { html } from "../html.ts";
import type { View } from "../view.ts";

/** What Docling's `content_layer` of furniture has. Footnotes are part of the text. */
const EDGES = new Set(["header", "footer", "page_number"]);

function body(result: StoredPageResult): StoredPageResult {
  const edges = result.blocks.filter(({ type }) => EDGES.has(type));
  let { markdown } = result;
  for (const { type, text } of edges)
    markdown = withoutParagraph(markdown, text, type !== "header");
  return { ...result, markdown, blocks: result.blocks.filter((block) => !edges.includes(block)) };
}

/** @param pageBreak what stands between pages, also beside empty and failed ones; `""`: nothing */
export const bodyMarkdown = (pageBreak: string) =>
  joined("text/markdown; charset=utf-8", pageBreak, ({ markdown }) => markdown);

export const bodyText = () =>
  joined("text/plain; charset=utf-8", "", ({ blocks, markdown }) =>
    blocks.length > 0 ? blocks.map(({ text }) => text).join("\n\n") : markdown,
  );

function joined(
  mediaType: string,
  pageBreak: string,
  textOf: (result: StoredPageResult) => string,
): View {
  let isBegun = false;
  return {
    mediaType,
    head: () => "",
    page: ({ result }, first) => {
      const text = result ? textOf(body(result)).trim() : "";
      const gap = isBegun && (text || pageBreak) ? "\n\n" : "";
      const before = pageBreak && !first ? `${gap}${pageBreak}${text && "\n\n"}` : text && gap;
      isBegun ||= before + text !== "";
      return before + text;
    },
    tail: () => "",
  };
}

export const bodyHtml = (): View => ({
  ...html,
  page: (entry: PageEntry, first) =>
    html.page(entry.result ? { ...entry, result: body(entry.result) } : entry, first),
});
