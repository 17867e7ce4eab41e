/**
 * The result as HTML. Text from the document is untrusted and escaped. Of the markup of a table, only table
 * tags, spans and links are kept. Figures have the addresses that the request chooses.
 */
import { headingLevel } from "../../domain/pages/headings.ts";
import type { StoredPageResult } from "../../domain/pages/page-result.ts";
import { altText, type Block, type FigureBlock, type Group, grouped } from "./figures.ts";
import { isAddress, type Link, type Piece, pieceLines, pieces } from "./linked.ts";
import type { View } from "./view.ts";

export const html: View = {
  mediaType: "text/html; charset=utf-8",
  head: ({ jobId }) =>
    `<!doctype html>\n<html><head><meta charset="utf-8"><title>${escapeHtml(jobId)}</title>\n<style>${STYLE}</style></head><body>\n`,
  page: ({ page, result, error }) => {
    const body = error
      ? `<p class="error">${escapeHtml(`${error.code}: ${error.message}`)}</p>`
      : pageBody(result);
    const verdict = result ? ` data-verdict="${result.verdict}"` : "";
    return `<section id="page-${page}"${verdict}>\n${body}\n</section>\n`;
  },
  tail: () => "</body></html>\n",
};

const STYLE =
  "body{font:1rem/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}" +
  "section{border-top:1px solid #8888;padding:1rem 0}table{border-collapse:collapse}" +
  "td,th{border:1px solid #8888;padding:.2rem .5rem}pre,p{white-space:pre-wrap}.error{color:#b00}" +
  "figure{margin:1rem 0}img{max-width:100%;height:auto}figcaption{font-style:italic}";

function pageBody({ blocks, markdown, hyperlinks }: StoredPageResult): string {
  if (blocks.length > 0)
    return grouped(blocks)
      .map((group) => groupHtml(group, hyperlinks))
      .join("\n");
  return markdown === "" ? "" : `<pre>${escapeHtml(markdown)}</pre>`;
}

function groupHtml({ figure, blocks }: Group, links?: Link[]): string {
  if (!figure) return blocks.map((block) => blockHtml(block, links)).join("");
  const parts = blocks.map((block) =>
    block === figure
      ? imageHtml(figure, links)
      : `<figcaption>${linkedHtml(pieces(block, links))}</figcaption>`,
  );
  return `<figure>${parts.join("")}</figure>`;
}

/** A picture; a link over it makes it one. */
function imageHtml(block: FigureBlock, links: Link[] = []): string {
  const { url, width, height } = block.figure;
  const image = `<img src="${escapeHtml(url)}" width="${width}" height="${height}" alt="${escapeHtml(altText(block))}">`;
  const link = links.find((link) => link.block === block.id && isAddress(link.url));
  return link ? linkHtml(link.url, image) : image;
}

/** The target is another page, which gets no address of this one. */
const linkHtml = (url: string, inner: string) =>
  `<a href="${escapeHtml(url)}" rel="nofollow noopener noreferrer">${inner}</a>`;

const linkedHtml = (parts: Piece[]) =>
  parts.map(({ text, url }) => (url ? linkHtml(url, escapeHtml(text)) : escapeHtml(text))).join("");

function blockHtml(block: Block, links?: Link[]): string {
  const parts = pieces(block, links);
  const text = linkedHtml(parts);
  switch (block.type) {
    case "title":
    case "sub_title": {
      const level = headingLevel(block);
      return `<h${level}>${text}</h${level}>`;
    }
    case "table":
      return block.html === undefined ? `<pre>${text}</pre>` : tableHtml(block.html);
    case "code":
      return `<pre><code>${text}</code></pre>`;
    case "equation":
      return `<pre class="equation">${escapeHtml(block.latex ?? block.text)}</pre>`;
    case "list":
      return `<ul>${listItems(parts)}</ul>`;
    case "image":
      return block.text.trim() === "" ? "" : `<p class="image">${text}</p>`;
    default:
      return `<p class="${block.type}">${text}</p>`;
  }
}

const listItems = (parts: Piece[]) =>
  pieceLines(parts)
    .map(([first = { text: "" }, ...rest]) => {
      const words = first.text.replace(/^\s*(?:[-*•]|\d{1,3}[.)])\s+/, "");
      return `<li>${linkedHtml([{ ...first, text: words }, ...rest])}</li>`;
    })
    .join("");

const escapeHtml = (text: string) =>
  text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");

const TABLE_TAG =
  /<(\/?)(table|thead|tbody|tfoot|tr|td|th|caption|br|sub|sup|b|i|a)((?:\s[^<>]*)?)>/gi;
const ADDRESS = /^\shref="([^"]*)"$/;
const SPAN = /\s(colspan|rowspan)\s*=\s*["']?(\d{1,3})\b/gi;

/** Keeps table tags with their spans, and links as the service writes them, and escapes everything else. */
export function tableHtml(source: string): string {
  let out = "";
  let last = 0;
  const open: string[] = [];
  for (const match of source.matchAll(TABLE_TAG)) {
    out += escapeCell(source.slice(last, match.index));
    last = match.index + match[0].length;
    const tag = (match[2] as string).toLowerCase();
    if (match[1] === "") {
      const [, address = ""] = (tag === "a" && ADDRESS.exec(match[3] ?? "")) || [];
      if (tag === "a" && !isAddress(address)) continue;
      if (tag === "a") out += `<a href="${address}" rel="nofollow noopener noreferrer">`;
      const spans = Array.from((match[3] ?? "").matchAll(SPAN), ([, name, n]) => ` ${name}="${n}"`);
      if (tag !== "a") out += `<${tag}${spans.join("").toLowerCase()}>`;
      if (tag !== "br") open.push(tag);
    } else if (open.includes(tag)) {
      // Inner tags are closed first, so that the markup is balanced and cannot affect what follows it.
      for (let inner = open.pop(); inner !== undefined; inner = open.pop()) {
        out += `</${inner}>`;
        if (inner === tag) break;
      }
    }
  }
  out += escapeCell(source.slice(last));
  return (
    out +
    open
      .reverse()
      .map((tag) => `</${tag}>`)
      .join("")
  );
}

/** Escapes the text between tags, except the entities that the worker writes. */
const escapeCell = (text: string) =>
  text
    .replace(/&(?!(?:amp|lt|gt|quot|#39|nbsp);)/g, "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
