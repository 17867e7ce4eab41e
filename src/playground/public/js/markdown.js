/**
 * Markdown as elements. `marked` splits the text into tokens; the elements are made here, because the content security
 * policy allows no markup from strings. HTML in the Markdown is shown as text.
 */
import { Lexer } from "/vendor/marked.js";
import { h } from "./dom.js";

/** @typedef {import("marked").MarkedToken} Token */
/** @typedef {(target: string) => string | null} Resolve the address that a link leads to; `null`: show its text only */

/** The id that GitHub gives a heading. @param {string} text */
const slug = (text) =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s-]/gu, "")
    .trim()
    .replaceAll(" ", "-");

/**
 * @param {string} text Markdown of one paragraph
 * @returns {(string | HTMLElement)[]}
 */
export const inline = (text) => nodes(Lexer.lexInline(text), () => null);

/**
 * @param {string} source
 * @param {Resolve} resolve
 * @returns {(string | HTMLElement)[]}
 */
export const markdown = (source, resolve) => nodes(Lexer.lex(source), resolve);

/**
 * @param {import("marked").Token[]} tokens
 * @param {Resolve} resolve
 */
const nodes = (tokens, resolve) =>
  tokens.flatMap((token) => node(/** @type {Token} */ (token), resolve));

/**
 * @param {Token} token
 * @param {Resolve} resolve
 * @returns {string | HTMLElement | (string | HTMLElement)[]}
 */
function node(token, resolve) {
  const inner = (/** @type {import("marked").Token[]} */ tokens) => nodes(tokens, resolve);
  switch (token.type) {
    case "heading": {
      const level = /** @type {"h1"} */ (`h${token.depth}`);
      return h(level, { id: slug(token.text) }, ...inner(token.tokens));
    }
    case "paragraph":
      return h("p", {}, ...inner(token.tokens));
    case "blockquote":
      return h("blockquote", {}, ...inner(token.tokens));
    case "code":
      return h("pre", {}, h("code", {}, token.text));
    case "list":
      return h(
        token.ordered ? "ol" : "ul",
        {},
        ...token.items.map((item) => h("li", {}, ...inner(item.tokens))),
      );
    case "table":
      return table(token, resolve);
    case "hr":
      return h("hr");
    case "br":
      return h("br");
    case "codespan":
      return h("code", {}, token.text);
    case "strong":
    case "em":
    case "del":
      return h(token.type, {}, ...inner(token.tokens));
    case "link": {
      const href = resolve(token.href);
      return href
        ? h("a", { href }, ...inner(token.tokens))
        : h("span", {}, ...inner(token.tokens));
    }
    case "text":
      return "tokens" in token && token.tokens ? inner(token.tokens) : token.text;
    case "escape":
    case "html":
      return token.text;
    default:
      // Blank lines, and images, which are not served.
      return [];
  }
}

/**
 * @param {import("marked").Tokens.Table} table
 * @param {Resolve} resolve
 */
function table({ header, rows }, resolve) {
  const row = (
    /** @type {import("marked").Tokens.TableCell[]} */ cells,
    /** @type {"td" | "th"} */ tag,
  ) => h("tr", {}, ...cells.map(({ tokens }) => h(tag, {}, ...nodes(tokens, resolve))));
  const titled = header.some(({ text }) => text !== "");
  // A wide table scrolls by itself, so the keyboard must be able to reach it.
  return h(
    "div",
    { class: "scroll", tabIndex: 0, role: "group", ariaLabel: "Table" },
    h(
      "table",
      {},
      titled && h("thead", {}, row(header, "th")),
      h("tbody", {}, ...rows.map((cells) => row(cells, "td"))),
    ),
  );
}
