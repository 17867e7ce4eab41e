/** What the worker writes for hostile pages (test/contract/markdown.json), rendered by the product's renderer. */
import { marked } from "marked";
import { describe, expect, it } from "vitest";
import { pageContent } from "../../../src/edge/domain/jobs/chat.ts";
import type { PageEntry } from "../../../src/edge/domain/pages/page-result.ts";
import { VIEWS } from "../../../src/edge/formats/views/index.ts";
import pages from "../../contract/markdown.json";
import { storedResult } from "../samples.ts";

type Kind = Exclude<keyof (typeof pages)[number], "page">;

const INLINE = ["p", "br", "em", "strong", "del", "code"];
/** The elements of each kind of block. A model may write lists, emphasis and headings. */
const WANTED: Record<Kind, string[]> = {
  text: ["p", "br"],
  title: ["h1", "h2", "h3", "h4", "h5", "h6"],
  list: ["ul", "ol", "li", "p"],
  model: [
    ...INLINE,
    ...["ul", "ol", "li", "input", "blockquote", "hr", "pre", "h1", "h2", "h3", "h4", "h5", "h6"],
    ...["table", "thead", "tbody", "tr", "td", "th"],
  ],
  table: ["table", "thead", "tbody", "tr", "th", "td"],
  equation: INLINE,
};

const entry = (markdown: string): PageEntry => ({
  page: 1,
  result: storedResult(1, { markdown }),
  error: null,
});

const elements = (html: string) =>
  Array.from(html.matchAll(/<\/?([a-z]\w*|[!?])/gi), ([, name]) => name as string);

const ENTITIES: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"', "#39": "'" };

/** The text as a reader sees it, with single blanks. */
const shown = (html: string) =>
  words(
    html
      .replaceAll(/<(?:br|\/?p)>/g, " ")
      .replaceAll(/<[^>]*>/g, "")
      .replaceAll(/&(lt|gt|amp|quot|#39);/g, (_, name) => ENTITIES[name] as string),
  );
const words = (text: string) => text.replaceAll(/[\s\0\u0085]+/g, " ").trim();

describe.each(Object.keys(WANTED) as Kind[])("hostile pages as %s", (kind) => {
  it("render without links, images, HTML and fences, in the view and in a chat", () => {
    for (const page of pages) {
      const content = pageContent(entry(page[kind]));
      const [first, ...rest] = VIEWS.md().page(entry(page[kind]), true).toString().split("\n");
      expect(first).toBe("<!-- page 1 -->");
      for (const source of [content, rest.join("\n")])
        for (const element of elements(marked.parse(source, { async: false })))
          expect(WANTED[kind], source).toContain(element);
    }
  });
});

it("the text of a page is shown as it is", () => {
  for (const { page, text, title } of pages)
    for (const source of [text, title])
      expect(shown(marked.parse(source, { async: false })), source).toBe(words(page));
});

it("a table in Markdown shows the texts of its cells", () => {
  for (const { page, table } of pages) {
    const cells = marked.parse(table, { async: false }).matchAll(/<t[hd]>(.*?)<\/t[hd]>/gs);
    const texts = Array.from(cells, ([, cell]) => shown(cell as string));
    expect(texts, table).toEqual([words(page), "b", "c", words(page)]);
  }
});

it("pages do not affect each other", () => {
  const view = VIEWS.md();
  const all = pages.map(({ text }, i) => view.page(entry(text), i === 0)).join("");
  const html = marked.parse(all, { async: false }).replaceAll("<!-- page 1 -->", "");
  expect(new Set(elements(html))).toEqual(new Set(["p", "br"]));
});
